"""The options of `find`, and its answer."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...arguments import Count, PathWord, SnapshotName


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
