"""The record of a snapshot."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...arguments import AbsolutePath, ChainHead, Count, Digest, MachineId, SnapshotName


class CopiedFilesystem(NamedTuple):
    """A filesystem in a snapshot, as its transfer counted it; the oldest records do not say the folders."""

    mount: str
    exit: int
    files: Count
    size: Count
    folders: Optional[Count] = None


class SnapshotException(NamedTuple):
    """A name that is not in the snapshot as it was at the source, and why."""

    path: str
    cause: str


class LeftBehind(NamedTuple):
    """What `snapshot` has at `mount` and the one made of it has not: its folders, and inodes whose names all went."""

    snapshot: SnapshotName
    mount: AbsolutePath
    bytes: Count
    inodes: Count


class SnapshotRecord(NamedTuple):
    """The record of a snapshot, which `record` answers; `exceptions_list` has the first of the `exceptions`.

    `instant` is the scheduled time that it was made for, None for none. `added_room` as in `Sealed`, None in the
    record of an older agent. `machine` is the machine-id of the source, "" where that is not known. `older` are
    the snapshots before `basis` with which it may share too, and `shared` how many files it does. `left`: as counted.
    `before` is the SHA-256 of the record of the snapshot before, and `chain` the head of the store's chain before this
    one was sealed; "" where there was none, and in the record of an older agent.
    """

    format: int
    name: str
    host: str
    job: str
    plan: str
    started: str
    sealed: str
    basis: str
    resumed: tuple[str, ...]
    filesystems: tuple[CopiedFilesystem, ...]
    files: Count
    added_files: Count
    added_bytes: Count
    exceptions: Count
    exceptions_by_cause: dict[str, Count]
    exceptions_new: Count
    exceptions_list: tuple[SnapshotException, ...]
    checksum: str
    summed: Count
    unsummed: Count
    whole_seconds: bool
    instant: Optional[str] = None
    added_room: Optional[Count] = None
    machine: MachineId = ""
    older: tuple[str, ...] = ()
    shared: Optional[Count] = None
    left: tuple[LeftBehind, ...] = ()
    before: Digest = ""
    chain: ChainHead = ""
