"""The options of `floor`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, DeclaredDisk, PathWord, PositiveWord


class Floor(NamedTuple):
    """Options of `floor`: of a job and day no more than `per_day` count towards it; 0 leaves that as it is."""

    store: PathWord
    floor: PositiveWord
    plan: str
    lower: bool = False
    disk: DeclaredDisk = DeclaredDisk()
    per_day: Count = 0


class FloorKept(NamedTuple):
    """Answer of `floor`; `per_day` is 0 where all of a day count."""

    floor: int
    before: Count
    per_day: Count = 0
