"""Drills: which snapshots one tries, and what the last ones that succeeded say today."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from runner.jobs.retention.doubts import Doubt
from runner.model.facts import Proven
from runner.model.text import length

SORTS = ("files", "database")
MOST = 14


def choose(names: Sequence[str], seed: str, most: int = MOST) -> tuple[str, ...]:
    """The newest of these snapshots and others by `seed`, `most` together, oldest first.

    The same names and seed give the same choice.
    """
    *others, newest = sorted(names)
    dice = random.Random(seed)  # noqa: S311  (a sample, no secret)
    return (*sorted(dice.sample(others, min(most - 1, len(others)))), newest)


def told(proven: Mapping[str, Proven], now: datetime) -> str:
    """When each sort was last proven, in words; "" where none ever was."""
    ages = [f"{_age(proven[sort], now)} ago ({sort})" for sort in SORTS if sort in proven]
    return f"last proven restore: {', '.join(ages)}" if ages else ""


def stale(proven: Mapping[str, Proven], wanted: Sequence[str], every: timedelta, now: datetime) -> tuple[Doubt, ...]:
    """What was not proven for longer than `every`, or never, of the sorts that are `wanted`."""
    said = []
    for sort in wanted:
        found = proven.get(sort)
        what = f"a restore of {'files' if sort == 'files' else 'the database'}"
        if found is None:
            said.append(Doubt(text=f"{what} was never proven to work", do="run a job of kind drill"))
        elif now - found.at > every:
            text = f"{what} was last proven to work {_age(found, now)} ago, with {found.snapshot}"
            said.append(Doubt(text=text, do="see in `runner history` how the job of kind drill ends"))
    return tuple(said)


def _age(proven: Proven, now: datetime) -> str:
    return length(max(now - proven.at, timedelta(0)))
