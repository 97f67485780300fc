"""The options of `reap`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, DeclaredDisk, PathWord


class Reap(NamedTuple):
    """Options of `reap`."""

    store: PathWord
    plan: str
    disk: DeclaredDisk = DeclaredDisk()


class Reaped(NamedTuple):
    """Answer of `reap`: how many names went."""

    removed: Count
