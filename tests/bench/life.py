"""A store at its limit: days on which as many snapshots go as come, and prunes of one snapshot alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench import tree
from tests.bench.contenders import BareRsync, Contender, Runner
from tests.bench.figures import AT_MAX, PRUNE, Stage
from tests.bench.measure import Cost, Failed
from tests.bench.running import Say, cost, in_turn, prepare


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """How many days at the limit and how many prunes, of stores that hold `kept` snapshots now."""

    kept: int
    days: int
    prunes: int
    cold: bool


def days_at_max(life: Life, source: tree.Tree, runs: Mapping[str, Contender], say: Say) -> Stage:
    """Days of which each makes a snapshot, removes the oldest, and leaves `kept`."""
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    measuring: list[Cost] = []
    for number in range(life.days):
        tree.day(source)
        for name in in_turn(tuple(runs), number):
            run = runs[name]
            prepare(run.place, (source.root, run.newest(), run.oldest()), cold=life.cold)
            work = run.work(most=life.kept)
            costs[name].append(cost(run.place, work, f"at max, day {number + 1}: {name}", say))
            _require(run, life.kept)
            measuring += _measuring(run, say)
    return Stage(name=AT_MAX, kept=life.kept, costs=costs, measuring=measuring)


def prunes(life: Life, runs: Mapping[str, Contender], say: Say) -> Stage:
    """Prunes of the oldest snapshot and of nothing else, with as many left as there are."""
    able = {name: run for name, run in runs.items() if isinstance(run, BareRsync | Runner)}
    costs: dict[str, list[Cost]] = {name: [] for name in able}
    measuring: list[Cost] = []
    # The newest stays whatever happens, and one more, so that there is something to measure.
    for number in range(min(life.prunes, life.kept - 2)):
        left = life.kept - number - 1
        for name in in_turn(tuple(able), number):
            run = able[name]
            prepare(run.place, (run.oldest(),), cold=life.cold)
            what = f"prune {number + 1}: {name}"
            costs[name].append(cost(run.place, run.prune(most=left), what, say))
            _require(run, left)
            measuring += _measuring(run, say)
    return Stage(name=PRUNE, kept=life.kept, costs=costs, measuring=measuring)


def _measuring(run: Contender, say: Say) -> Sequence[Cost]:
    """What of the runner's cost was its last step: the same walk once more, by itself; none if it left it out."""
    if not isinstance(run, Runner):
        return ()
    work = run.measuring()
    if work is None:
        return (Cost(wall=0, cpu=0, written=0, peaks={}),)
    return (cost(run.place, work, "  of which measuring what the next would free", say),)


def _require(run: Contender, number: int) -> None:
    if run.copies() != number:
        raise Failed(f"{run.name}: {run.copies()} snapshots are left, not {number}")
