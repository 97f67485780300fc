"""The options of `clone`, and its answers."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...arguments import AbsolutePath, Count, DeclaredDisk, PathWord, SnapshotName, SnapshotNameOrNone, SnapshotWord


class Clone(NamedTuple):
    """Options of `clone`: each `basis` is SNAPSHOT=/MOUNTPOINT, what the filesystem mounted there begins as.

    `recycle` is the sealed snapshot that retention gives up: its tree becomes the clone. At least `min` without
    exceptions must stay, of which each job and day has `per_day`; see `expire`.
    """

    store: PathWord
    name: SnapshotWord
    plan: str
    basis: tuple[str, ...] = ()
    recycle: SnapshotNameOrNone = ""
    min: Count = 0
    per_day: Count = 0
    disk: DeclaredDisk = DeclaredDisk()


class ClonedFilesystem(NamedTuple):
    """A filesystem that was cloned: `names` it has now, its top among them.

    Of these, `folders` are folders, `kept` were there, `linked` are links made now, and `copied` files that took no
    more links. `removed` names were there and are not in the basis.
    """

    mount: AbsolutePath
    basis: SnapshotName
    names: Count
    folders: Count
    kept: Count
    linked: Count
    copied: Count
    removed: Count


class Cloned(NamedTuple):
    """Answer of `clone`; `recycled` is the snapshot that went for it, "" for none."""

    filesystems: tuple[ClonedFilesystem, ...]
    recycled: SnapshotNameOrNone = ""


class NotCloned(NamedTuple):
    """A refusal of `clone`: `recycled` is the snapshot that went all the same, "" for none; None: nobody knows."""

    error: str
    recycled: Optional[SnapshotNameOrNone] = None
