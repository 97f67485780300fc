"""What was measured, and how two of them compare: medians of pairs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from statistics import median

from tests.bench.meters.measure import Cost

Of = Callable[[Cost], float | None]


class Stage(Enum):
    """What a contender was measured at."""

    FIRST = "first"
    BELOW_WARM = "below max, warm"
    BELOW_COLD = "below max, cold"
    MAX_WARM = "at max, warm"
    MAX_COLD = "at max, cold"
    RESTORE_ALL = "whole restore"
    FOLDER = "restore of a third"
    ONE_FILE = "restore of one file"
    FIRST_AUDIT = "first audit"
    AUDIT = "audit"
    PRUNE = "prune of one"

    @property
    def cold(self) -> bool:
        """Whether nothing was in memory before."""
        return self in (Stage.BELOW_COLD, Stage.MAX_COLD)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """One contest: what everything cost everybody, and whether the copies are right.

    `differences` are names of the last copy that are not as in the source, `rewritten` names of the first copy that
    are no longer as they were when it was made. `calls` count system calls of a day. `traced` and `grouped` say
    whether the machine let us see its requests, and count the time of all processes.
    """

    files: int
    names: int
    kept: int
    costs: Mapping[Stage, Mapping[str, Sequence[Cost]]]
    differences: Mapping[str, int]
    rewritten: Mapping[str, int]
    calls: Mapping[str, Mapping[str, int]]
    traced: bool
    grouped: bool

    def at(self, stage: Stage, name: str) -> Sequence[Cost]:
        """What that cost it, one each time; () if it did not take part."""
        return self.costs.get(stage, {}).get(name, ())

    def all_of(self, name: str) -> Iterator[Cost]:
        """Everything that it was measured at."""
        return chain.from_iterable(each.get(name, ()) for each in self.costs.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Aside:
    """What was measured apart from the contests: processor seconds, each several times.

    `start` by verb (`pass` is the interpreter's); `stores` by verb, then by how many snapshots there were; `hosts`
    by verb, then by how many hosts.
    """

    start: Mapping[str, float]
    stores: Mapping[str, Mapping[int, Sequence[float]]]
    hosts: Mapping[str, Mapping[int, Sequence[float]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ratio:
    """A contender's cost over another's of the same day: median, least and most."""

    middle: float
    least: float
    most: float


def ratio(over: Sequence[float], under: Sequence[float]) -> Ratio | None:
    """Ratios of the pairs; None where there is nothing to divide by."""
    found = [one / other for one, other in zip(over, under, strict=True) if other > 0]
    return Ratio(middle=median(found), least=min(found), most=max(found)) if found else None


def compared(tree: Tree, stage: Stage, ours: str, theirs: str, of: Of, of_theirs: Of) -> Ratio | None:
    """What the one's is of the other's, pair by pair; None where either was not measured."""
    over, under = values(tree.at(stage, ours), of), values(tree.at(stage, theirs), of_theirs)
    return ratio(over, under) if over and len(over) == len(under) else None


def values(costs: Sequence[Cost], of: Of) -> list[float]:
    """That of each; [] where one of them is not known."""
    found = [of(one) for one in costs]
    known = [one for one in found if one is not None]
    return known if len(known) == len(found) else []


def cpu(cost: Cost) -> float:
    """Processor seconds of all its processes."""
    return cost.cpu


def others(cost: Cost) -> float:
    """Processor seconds of what the first process started: the agent and rsync."""
    return cost.cpu - cost.own
