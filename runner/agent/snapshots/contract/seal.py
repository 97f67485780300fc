"""The options of `seal`, and its answer."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...arguments import (
    AbsolutePath,
    ChainHead,
    Count,
    DeclaredDisk,
    MachineId,
    PathWord,
    PlanText,
    SnapshotName,
    SnapshotWord,
    Spoken,
)


class Seal(NamedTuple):
    """Options of `seal`: `transfer`, `explained`, `walked` and `settled` are STEP=/MOUNTPOINT.

    What cannot be copied at or below an `accept` path is counted apart, and is no exception. `machine` is the id
    of the machine that it was copied from, "" for one that has none.
    """

    store: PathWord
    name: SnapshotWord
    plan: PlanText
    host: Spoken
    job: Spoken
    started: Spoken
    checksum: Spoken
    transfer: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    walked: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    absent: tuple[AbsolutePath, ...] = ()
    disk: DeclaredDisk = DeclaredDisk()
    accept: tuple[AbsolutePath, ...] = ()
    machine: MachineId = ""


class Sealed(NamedTuple):
    """Answer of `seal`: `exceptions_new` are those that the snapshot before did not have, `accepted` are none.

    `added_bytes` is how long the new files are, `added_room` what they take of the disk: holes take nothing. `missed`
    names differed by rsync's comparison, and the record of the last look had not shown it. `head` is that of the chain.
    """

    sealed: SnapshotName
    files: Count
    added_files: Count
    added_bytes: Count
    exceptions: Count
    exceptions_new: Count
    unsummed: Count
    vanished: Count
    changed: Count
    seconds: float
    added_room: Optional[Count] = None
    accepted: Count = 0
    missed: Count = 0
    head: ChainHead = ""
