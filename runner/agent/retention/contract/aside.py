"""The options of `set-aside`, `bring-back` and `drop-aside`, and their answers."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...arguments import Count, DeclaredDisk, PathWord, SnapshotName, SnapshotWord


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
