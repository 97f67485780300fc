"""The options of `hold`, `release` and `take-over`, and their answers."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, DeclaredDisk, PathWord, PlanText, Spoken


class Hold(NamedTuple):
    """Options of `hold`."""

    store: PathWord
    plan: PlanText
    who: Spoken
    disk: DeclaredDisk = DeclaredDisk()


class HoldAnswer(NamedTuple):
    """Answer of `hold` and `take-over`, once the lock is theirs."""

    held: bool


class Release(NamedTuple):
    """Options of `release`."""

    store: PathWord
    plan: str
    within: Count = 20


class Released(NamedTuple):
    """Answer of `release`."""

    free: bool


class TakeOver(NamedTuple):
    """Options of `take-over`."""

    store: PathWord
    from_: str
    plan: PlanText
    who: Spoken
    disk: DeclaredDisk = DeclaredDisk()
