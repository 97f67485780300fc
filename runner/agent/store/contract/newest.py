"""The options of `newest` and `record`, and what the first answers."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, PathWord, SnapshotNameOrNone, SnapshotWord


class Newest(NamedTuple):
    """Options of `newest`."""

    store: PathWord


class Counts(NamedTuple):
    """Answer of `newest`: the newest sealed snapshot ("" for none), how many there are, and what is free."""

    newest: SnapshotNameOrNone
    sealed: Count
    partials: Count
    free_bytes: Count
    free_inodes: Count
    free_percent: float
    free_inodes_percent: float


class Record(NamedTuple):
    """Options of `record`; its answer is the record that `seal` wrote."""

    store: PathWord
    name: SnapshotWord
