"""What the verbs of a store are told, and what they answer."""

from __future__ import annotations

from typing import NamedTuple

from ..arguments import Count, Rest, Word


class Hold(NamedTuple):
    """Options of `hold`."""

    store: Word
    plan: str
    who: str
    mount: str = ""
    uuid: str = ""


class Release(NamedTuple):
    """Options of `let-go`."""

    store: Word
    plan: str
    within: Count = 20


class TakeOver(NamedTuple):
    """Options of `take-over`."""

    store: Word
    from_: str
    plan: str
    who: str
    mount: str = ""
    uuid: str = ""


class CheckDisk(NamedTuple):
    """Options of `check-disk`."""

    store: Word
    mount: str = ""
    uuid: str = ""


class DiskChecked(NamedTuple):
    """Answer of `check-disk`."""

    ok: bool
    uuid: str


class Newest(NamedTuple):
    """Options of `newest`."""

    store: Word


class Record(NamedTuple):
    """Options of `record`; its answer is the record as it was written."""

    store: Word
    name: Word


class Freed(NamedTuple):
    """Options of `freed`."""

    store: Word
    names: Rest
    exact: bool = False
    save: bool = False
    plan: str = ""
    mount: str = ""
    uuid: str = ""


class Gain(NamedTuple):
    """What is gained, in bytes and inodes, by everything up to and with snapshot `name`."""

    name: str
    bytes: int
    inodes: int


class Gains(NamedTuple):
    """Answer of `freed`."""

    freed: tuple[Gain, ...]


class Pin(NamedTuple):
    """Options of `pin`."""

    store: Word
    name: Word
    plan: str
    until: str
    why: str
    mount: str = ""
    uuid: str = ""


class Pinned(NamedTuple):
    """Answer of `pin`."""

    pinned: str
    until: str
    why: str


class Unpin(NamedTuple):
    """Options of `unpin`."""

    store: Word
    name: Word
    plan: str
    mount: str = ""
    uuid: str = ""


class Unpinned(NamedTuple):
    """Answer of `unpin`."""

    unpinned: str


class Prove(NamedTuple):
    """Options of `proven`."""

    store: Word
    sort: Word
    name: Word
    at: str
    mount: str = ""
    uuid: str = ""


class Proven(NamedTuple):
    """Answer of `proven`: `kept` where the proof that was there stays."""

    proven: str
    snapshot: str
    kept: bool


class Reap(NamedTuple):
    """Options of `reap`."""

    store: Word
    plan: str
    mount: str = ""
    uuid: str = ""


class Reaped(NamedTuple):
    """Answer of `reap`: how many names went."""

    removed: int
