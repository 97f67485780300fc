"""The options of `find` and of the reading `in-newest`, and their answers."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...arguments import Count, Last, PathWord, SnapshotName, SnapshotNameOrNone, Word


class Find(NamedTuple):
    """Options of `find`; the path is on stdin."""

    store: PathWord


class FileVersion(NamedTuple):
    """The same file in `snapshots` snapshots, from `first` to `last`; `target` is that of a symbolic link."""

    first: SnapshotName
    last: SnapshotName
    snapshots: Count
    type: str
    size: Count
    mtime_ns: int
    mode: int
    uid: int
    gid: int
    inode: int
    target: Optional[str] = None


class Versions(NamedTuple):
    """Answer of `find`, oldest first; `missing` counts the snapshots without it."""

    versions: tuple[FileVersion, ...]
    missing: Count


class InNewest(NamedTuple):
    """Options of `in-newest`: of which host the snapshot is to be, and the path as it is there."""

    store: PathWord
    host: Word
    path: Last


class SeenInNewest(NamedTuple):
    """Answer of `in-newest`: the newest snapshot of that host, "" for none; what the path is in it, or ""."""

    snapshot: SnapshotNameOrNone
    type: str
