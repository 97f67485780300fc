"""What `probe` answers of a store; apart from the other contracts, which every verb of a store reads at its start."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional

from ..arguments import AbsolutePath, Count, MachineId, SnapshotName
from .contract.holder import HolderAnswer
from .contract.proven import ProofAnswer


class FilledAnswer(NamedTuple):
    """What a filesystem of a snapshot had, in the answer of `probe`."""

    mount: str
    files: Count
    size: Count


class SnapshotAnswer(NamedTuple):
    """A snapshot in the answer of `probe`: model/facts.py, Snapshot, says what is what."""

    name: str
    recorded: bool
    being_read: bool
    filesystems: tuple[str, ...]
    proven: tuple[str, ...]
    exceptions: Optional[Count]
    folders: Optional[Count] = None
    freed_bytes: Optional[int] = None
    freed_inodes: Optional[int] = None
    pinned_until: Optional[str] = None
    pinned_why: str = ""
    started: Optional[datetime] = None
    sealed: Optional[datetime] = None
    host: str = ""
    job: str = ""
    files: Optional[Count] = None
    added_files: Optional[Count] = None
    added_bytes: Optional[Count] = None
    added_room: Optional[Count] = None
    instant: Optional[datetime] = None
    plan: str = ""
    machine: MachineId = ""
    filled: tuple[FilledAnswer, ...] = ()


class PartialAnswer(NamedTuple):
    """An interrupted snapshot in the answer of `probe`: model/facts.py, Partial, says what is what."""

    name: str
    basis: str
    filesystems: tuple[str, ...]
    full: Optional[bool] = None
    free: Optional[Count] = None
    inodes_free: Optional[Count] = None
    sent: Optional[Count] = None
    inodes_sent: Optional[Count] = None
    plan: str = ""
    kept: tuple[SnapshotName, ...] = ()


class AsideAnswer(NamedTuple):
    """A snapshot that lies aside in the answer of `probe`: model/facts.py, Aside, says what is what."""

    name: str
    host: str = ""
    room: Optional[Count] = None


class SpaceAnswer(NamedTuple):
    """The space of a store's filesystem in the answer of `probe`: model/facts.py, Space."""

    size: Count
    free: Count
    inodes: Count
    inodes_free: int
    last: Count = 0
    inodes_last: Count = 0
    system: str = ""


class DamagedAnswer(NamedTuple):
    """What audits found of a filesystem: model/stored.py, DamagedFilesystem, says what is what."""

    host: str
    mount: AbsolutePath
    until: SnapshotName
    names: Count


class RatesAnswer(NamedTuple):
    """How many may be sealed and expire now, in the answer of `probe`: model/stored.py, Rates, says what is what."""

    seals: Count
    expiries: Count


class StoreAnswer(NamedTuple):
    """A store in the answer of `probe`: model/facts.py, StoreFacts, says what is what."""

    path: str
    exists: bool
    problem: str
    mounted: bool = False
    writable: bool = False
    uuid: str = ""
    device: str = ""
    whole_seconds: bool = False
    rotational: Optional[bool] = None
    sealed: tuple[SnapshotAnswer, ...] = ()
    partials: tuple[PartialAnswer, ...] = ()
    trash: tuple[str, ...] = ()
    aside: tuple[AsideAnswer, ...] = ()
    lost: tuple[str, ...] = ()
    written_off: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    holder: Optional[HolderAnswer] = None
    space: Optional[SpaceAnswer] = None
    proven: dict[str, ProofAnswer] = {}
    lacks: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    damaged: tuple[DamagedAnswer, ...] = ()
    rates: Optional[RatesAnswer] = None
