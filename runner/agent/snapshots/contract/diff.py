"""The options of `diff`, and its answers."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, PathWord, SnapshotWord


class Diff(NamedTuple):
    """Options of `diff`; the path is on stdin."""

    store: PathWord
    older: SnapshotWord
    newer: SnapshotWord


class SnapshotDifference(NamedTuple):
    """A line of `diff`: what changed; `size` is that of the newer file, or of the one removed."""

    change: str
    path: str
    size: Count


class DiffCounts(NamedTuple):
    """Answer of `diff`, its last line: how many names changed in each way."""

    counts: dict[str, Count]
