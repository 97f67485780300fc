"""The options of `compose`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import AbsolutePath, Count, DeclaredDisk, PathWord, SnapshotWord


class Compose(NamedTuple):
    """Options of `compose`: `listed` and `settled` are STEP=/MOUNTPOINT, the steps whose outputs are on stdin."""

    store: PathWord
    name: SnapshotWord
    plan: str
    listed: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    disk: DeclaredDisk = DeclaredDisk()


class ComposedFilesystem(NamedTuple):
    """A filesystem that was composed: `names` it has now, its top among them.

    `placed` names came from what was sent, `kept` are the basis's still: nothing of what was sent differs, or it is a
    folder that was away. `removed` were in the clone. `missing` were listed and not sent: they are gone from the
    source, or cannot be read.
    """

    mount: AbsolutePath
    names: Count
    placed: Count
    kept: Count
    removed: Count
    missing: Count


class Composed(NamedTuple):
    """Answer of `compose`: the filesystems that were cloned; one that was sent whole is only moved into its place."""

    filesystems: tuple[ComposedFilesystem, ...]
