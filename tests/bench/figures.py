"""What the measurements amount to: medians, ratios of paired days, and which thresholds hold. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.measure import Cost

MOST_CPU, MOST_CPU_AT_MAX = 1.10, 1.20
CPU_FROM_FILES = 100_000
MOST_MEMORY = 120_000_000
MOST_HELP, MOST_VALIDATE = 0.06, 0.25
MOST_LOOKS_MORE = 100
OURS = ("runner", "runner-agent")
AT_MAX, PRUNE = "a day at max", "a prune of one"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """What followed the plain days, of stores that held `kept` snapshots.

    `measuring` is the part of the runner's cost, day by day, in which it looked what the next prune frees.
    """

    name: str
    kept: int
    costs: Mapping[str, Sequence[Cost]]
    measuring: Sequence[Cost]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One tree: what the first snapshot and each day cost each contender, and whether the copies are right.

    `differences` are names of the last copy that are not as in the source, `rewritten` names of the
    first copy that are no longer as they were when it was made. `calls` count system calls of a day.
    """

    files: int
    names: int
    first: Mapping[str, Cost]
    days: Mapping[str, Sequence[Cost]]
    differences: Mapping[str, int]
    rewritten: Mapping[str, int]
    calls: Mapping[str, Mapping[str, int]]
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Ratio:
    """A contender's cost over that of bare rsync on the same day: median, least and most."""

    middle: float
    least: float
    most: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A threshold, what was found, and whether it holds."""

    text: str
    found: float
    most: float

    @property
    def holds(self) -> bool:
        """Whether what was found is not above it."""
        return self.found <= self.most


def ratio(over: Sequence[float], under: Sequence[float]) -> Ratio | None:
    """Ratios of the pairs; None where there is nothing to divide by."""
    found = [one / other for one, other in zip(over, under, strict=True) if other > 0]
    return Ratio(middle=median(found), least=min(found), most=max(found)) if found else None


def cpu(costs: Sequence[Cost]) -> list[float]:
    """Processor seconds of each."""
    return [one.cpu for one in costs]


def overhead(costs: Mapping[str, Sequence[Cost]]) -> float:
    """Processor seconds that the runner needs beyond bare rsync (and rm): median of the paired differences."""
    pairs = zip(cpu(costs["runner"]), cpu(costs["rsync"]), strict=True)
    return median(ours - bare for ours, bare in pairs)


def unmeasured(stage: Stage) -> list[float]:
    """Processor seconds of each of the runner's without looking what the next prune frees."""
    pairs = zip(cpu(stage.costs["runner"]), cpu(stage.measuring), strict=True)
    return [whole - part for whole, part in pairs]


def claims(trees: Sequence[Compared], start: Mapping[str, float]) -> tuple[Claim, ...]:
    """Every threshold that these measurements can decide. `start` is in processor seconds, `pass` the interpreter's."""
    found: list[Claim] = []
    for tree in trees:
        found += _processor(tree)
        later = (one for stage in tree.stages for one in stage.costs["runner"])
        costs = (tree.first["runner"], *tree.days["runner"], *later)
        for program in OURS:
            # A program that was never seen would be below any threshold.
            peak = max(cost.peaks.get(program, 0) for cost in costs) or float("inf")
            text = f"peak memory of {program}, {tree.files} files, MB"
            found.append(Claim(text=text, found=peak / 1e6, most=MOST_MEMORY / 1e6))
        for name in ("rsync", "runner"):
            wrong = tree.differences[name] + tree.rewritten[name]
            found.append(Claim(text=f"names that are wrong, {tree.files} files, {name}", found=wrong, most=0))
    found += _constant([tree.calls for tree in trees if {"rsync", "runner"} <= set(tree.calls)])
    for what, most in (("help", MOST_HELP), ("validate", MOST_VALIDATE)):
        if what in start:
            text = f"start-up of {what} beyond `python3 -c pass`, CPU s"
            found.append(Claim(text=text, found=start[what] - start["pass"], most=most))
    return tuple(found)


def _processor(tree: Compared) -> Iterator[Claim]:
    if tree.files < CPU_FROM_FILES:
        return
    day = ratio(cpu(tree.days["runner"]), cpu(tree.days["rsync"]))
    if day:
        yield Claim(text=f"CPU of a day, {tree.files} files, over rsync", found=day.middle, most=MOST_CPU)
    for stage in tree.stages:
        if stage.name == AT_MAX:
            # Not the median: work that is done on some days only would not be in it.
            found = sum(cpu(stage.costs["runner"])) / sum(cpu(stage.costs["rsync"]))
            text = f"CPU of {AT_MAX}, {tree.files} files, over rsync and rm, all days together"
            yield Claim(text=text, found=found, most=MOST_CPU_AT_MAX)


def _constant(calls: Sequence[Mapping[str, Mapping[str, int]]]) -> Iterator[Claim]:
    """What no busy machine changes: the calls beyond rsync's are as many for a large tree as for a small one."""
    for one in calls:
        links = one["runner"]["linkat"] - one["rsync"]["linkat"]
        yield Claim(text=f"links made beyond rsync's {one['rsync']['linkat']}", found=links, most=0)
    for name, what, most in (("execve", "processes", 0), ("openat", "opened files", MOST_LOOKS_MORE)):
        beyond = [one["runner"][name] - one["rsync"][name] for one in calls]
        if len(beyond) > 1:
            text = f"{what} beyond rsync's: more for the largest tree than for the smallest"
            yield Claim(text=text, found=beyond[-1] - beyond[0], most=most)
