"""The options of `search`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, PathWord, SnapshotWord


class Search(NamedTuple):
    """Options of `search`; the pattern is on stdin."""

    store: PathWord
    snapshot: SnapshotWord


class NameFound(NamedTuple):
    """A name that matches, by its path on its host."""

    path: str
    type: str
    size: Count
    mtime_ns: int


class NamesFound(NamedTuple):
    """Answer of `search`: the first names, and how many there are in all."""

    names: tuple[NameFound, ...]
    total: Count
