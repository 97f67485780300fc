"""The options of the verbs of a store, and their answers."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional

from ..arguments import (
    Count,
    DeclaredDisk,
    PathWord,
    SnapshotName,
    SnapshotNameOrNone,
    SnapshotsRest,
    SnapshotWord,
    Uuid,
    Word,
)


class Hold(NamedTuple):
    """Options of `hold`."""

    store: PathWord
    plan: str
    who: str
    disk: DeclaredDisk = DeclaredDisk()


class HolderAnswer(NamedTuple):
    """Who holds a lock, as far as that is known."""

    plan: str = ""
    who: str = ""
    pid: int = 0
    since: Optional[datetime] = None


class HoldAnswer(NamedTuple):
    """Answer of `hold` and `take-over`, once the lock is theirs."""

    held: bool


class LockAnswer(NamedTuple):
    """A HoldAnswer, or the refusal in its place: `holder` has the lock."""

    held: bool
    holder: Optional[HolderAnswer] = None


class Release(NamedTuple):
    """Options of `release`."""

    store: PathWord
    plan: str
    within: Count = 20


class Released(NamedTuple):
    """Answer of `release`."""

    free: bool


class TakeOver(NamedTuple):
    """Options of `take-over`."""

    store: PathWord
    from_: str
    plan: str
    who: str
    disk: DeclaredDisk = DeclaredDisk()


class Close(NamedTuple):
    """Options of `close`."""

    store: Word


class Closed(NamedTuple):
    """Answer of `close`: the folders that others could enter, and those that they still can."""

    closed: tuple[str, ...]
    open: tuple[str, ...]


class CheckDisk(NamedTuple):
    """Options of `check-disk`."""

    store: PathWord
    disk: DeclaredDisk = DeclaredDisk()


class DiskChecked(NamedTuple):
    """Answer of `check-disk`."""

    ok: bool
    uuid: Uuid


class Newest(NamedTuple):
    """Options of `newest`."""

    store: PathWord


class Counts(NamedTuple):
    """Answer of `newest`: the newest sealed snapshot ("" for none), how many there are, and what is free."""

    newest: SnapshotNameOrNone
    sealed: Count
    partials: Count
    free_bytes: Count
    free_inodes: Count
    free_percent: float
    free_inodes_percent: float


class StillDue(NamedTuple):
    """Answer of `not-sealed` and `not-dumped`: nothing was made for that instant yet."""

    due: bool


class Record(NamedTuple):
    """Options of `record`; its answer is the record that `seal` wrote."""

    store: PathWord
    name: SnapshotWord


class Freed(NamedTuple):
    """Options of `freed`."""

    store: PathWord
    names: SnapshotsRest
    exact: bool = False
    save: bool = False
    plan: str = ""
    disk: DeclaredDisk = DeclaredDisk()


class Gain(NamedTuple):
    """What is gained, in bytes and inodes, by everything up to and with snapshot `name`."""

    name: SnapshotName
    bytes: Count
    inodes: Count


class Gains(NamedTuple):
    """Answer of `freed`."""

    freed: tuple[Gain, ...]


class Pin(NamedTuple):
    """Options of `pin`."""

    store: PathWord
    name: SnapshotWord
    plan: str
    until: str
    why: str
    disk: DeclaredDisk = DeclaredDisk()


class Pinned(NamedTuple):
    """Answer of `pin`."""

    pinned: str
    until: str
    why: str


class Unpin(NamedTuple):
    """Options of `unpin`."""

    store: PathWord
    name: SnapshotWord
    plan: str
    disk: DeclaredDisk = DeclaredDisk()


class Unpinned(NamedTuple):
    """Answer of `unpin`."""

    unpinned: str


class Prove(NamedTuple):
    """Options of `proven`."""

    store: PathWord
    sort: Word
    name: SnapshotWord
    at: str
    disk: DeclaredDisk = DeclaredDisk()


class ProofKept(NamedTuple):
    """Answer of `proven`: `kept` where the proof that was there stays."""

    proven: str
    snapshot: str
    kept: bool


class DropPartials(NamedTuple):
    """Options of `drop-partials`."""

    store: PathWord
    names: SnapshotsRest
    plan: str = ""
    disk: DeclaredDisk = DeclaredDisk()


class PartialsDropped(NamedTuple):
    """Answer of `drop-partials`: what went to the trash, and which interrupted snapshots are left."""

    dropped: tuple[str, ...]
    left: tuple[str, ...]


class Reap(NamedTuple):
    """Options of `reap`."""

    store: PathWord
    plan: str
    disk: DeclaredDisk = DeclaredDisk()


class Reaped(NamedTuple):
    """Answer of `reap`: how many names went."""

    removed: Count
