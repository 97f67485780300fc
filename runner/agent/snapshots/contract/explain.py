"""The options of `explain`, and its answers."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, PathWord


class Explain(NamedTuple):
    """Options of `explain`."""

    source: PathWord
    since: str


class Explained(NamedTuple):
    """A line of `explain`: a name, rsync's item for it, why it differs, and the errno that shows it (0 for none)."""

    path: str
    item: str
    cause: str
    errno: int


class Explanation(NamedTuple):
    """Answer of `explain`, its last line: how many names have each cause, and how the comparison ended."""

    counts: dict[str, Count]
    look_exit: int
