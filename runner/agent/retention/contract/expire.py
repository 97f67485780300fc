"""The options of `expire`, and its answer."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...arguments import ChainHead, Count, DeclaredDisk, PathWord, Positive, SnapshotName, SnapshotWord


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

    `inherited` counts the checksums that the next snapshot took over, None where they could not be written. `head` is
    that of the store's chain.
    """

    expired: SnapshotName
    sealed: Count
    inherited: Optional[Count]
    free_bytes: Count
    free_inodes: Count
    free_percent: float
    free_inodes_percent: float
    head: ChainHead = ""
