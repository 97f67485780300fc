"""The options of `links`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, PathWord


class Links(NamedTuple):
    """Options of `links`: without `max` as many snapshots as there are."""

    store: PathWord
    max: Count = -1


class LinkGroups(NamedTuple):
    """Answer of `links`."""

    largest_group: Count
    most: Count
    path: str
    limit: int
    fits: bool
