"""The options of the verbs of retention, and their answers."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ..arguments import AbsolutePath, Count, DeclaredDisk, PathWord, Positive, PositiveWord, SnapshotName, SnapshotWord


class Floor(NamedTuple):
    """Options of `floor`: of a job and day no more than `per_day` count towards it; 0 leaves that as it is."""

    store: PathWord
    floor: PositiveWord
    plan: str
    lower: bool = False
    disk: DeclaredDisk = DeclaredDisk()
    per_day: Count = 0


class FloorKept(NamedTuple):
    """Answer of `floor`; `per_day` is 0 where all of a day count."""

    floor: int
    before: Count
    per_day: Count = 0


class Expire(NamedTuple):
    """Options of `expire`: of a job and day no more than `per_day` count towards `min`; 0 for all."""

    store: PathWord
    name: SnapshotWord
    plan: str
    min: Positive
    disk: DeclaredDisk = DeclaredDisk()
    per_day: Count = 0


class Expired(NamedTuple):
    """Answer of `expire`: how many stay, and what is free before it is reaped.

    `inherited` counts the checksums that the next snapshot took over, None where they could not be written.
    """

    expired: SnapshotName
    sealed: Count
    inherited: Optional[Count]
    free_bytes: Count
    free_inodes: Count
    free_percent: float
    free_inodes_percent: float


class SetAside(NamedTuple):
    """Options of `set-aside`: `min` and `per_day` as `expire` has them, 0 where the store has no retention."""

    store: PathWord
    name: SnapshotWord
    plan: str
    min: Count = 0
    disk: DeclaredDisk = DeclaredDisk()
    per_day: Count = 0


class PutAside(NamedTuple):
    """Answer of `set-aside`: how many still count; `record_only` where nothing but the record was left of it.

    `inherited` as `expire` answers it; `unproven` are the sorts of drills whose last success was of this snapshot.
    """

    aside: SnapshotName
    sealed: Count
    record_only: bool
    inherited: Optional[Count]
    unproven: tuple[str, ...]


class BringBack(NamedTuple):
    """Options of `bring-back`."""

    store: PathWord
    name: SnapshotWord
    plan: str
    disk: DeclaredDisk = DeclaredDisk()


class BroughtBack(NamedTuple):
    """Answer of `bring-back`: how many count now."""

    back: SnapshotName
    sealed: Count


class DropAside(NamedTuple):
    """Options of `drop-aside`."""

    store: PathWord
    name: SnapshotWord
    plan: str
    disk: DeclaredDisk = DeclaredDisk()


class AsideDropped(NamedTuple):
    """Answer of `drop-aside`; `reap` removes it for good."""

    dropped: SnapshotName


class Links(NamedTuple):
    """Options of `links`: without `max` as many snapshots as there are."""

    store: PathWord
    max: Count = -1


class LinkGroups(NamedTuple):
    """Answer of `links`."""

    largest_group: Count
    most: Count
    path: str
    limit: int
    fits: bool


class Audit(NamedTuple):
    """Options of `audit`."""

    store: PathWord
    plan: str
    bytes: Positive
    seconds: Positive
    every: Positive
    disk: DeclaredDisk = DeclaredDisk()


class ListDamaged(NamedTuple):
    """Options of `damaged`: of the filesystem of `host` at `mount`, for what is made of the snapshot `basis`."""

    store: PathWord
    host: str
    mount: AbsolutePath
    basis: SnapshotName


class AuditFinding(NamedTuple):
    """Something that is not as it was sealed: `kind` is content, attributes, missing or added."""

    kind: str
    path: str
    snapshots: tuple[str, ...]


class Audited(NamedTuple):
    """Answer of `audit`: `findings` are the first of `total`.

    `complete_in_days` is of what can be compared, None where nothing was finished that it could be reckoned from.
    `lost_*` count what had checksums and has none now, `never_summed` the files that came without one. The next
    snapshots compare `noted` names with their hosts.
    """

    read_bytes: Count
    read_files: Count
    findings: tuple[AuditFinding, ...]
    total: Count
    taken: Count
    compared: Count
    unchecked: Count
    cursor: int
    complete_in_days: Optional[int]
    problem: str
    lost_snapshots: Count = 0
    lost_files: Count = 0
    lost_bytes: Count = 0
    never_summed: Count = 0
    noted: Count = 0
