"""Drills: which snapshots they try, and how old the last proofs are."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from runner.jobs.retention.doubts import Doubt
from runner.model.facts import Proven, StoreFacts
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


def ages(proven: Mapping[str, Proven], now: datetime) -> str:
    """When each sort was last proven, in words; "" where none ever was."""
    listed = [f"{_age(proven[sort], now)} ago ({sort})" for sort in SORTS if sort in proven]
    return f"last proven restore: {', '.join(listed)}" if listed else ""


def standing(stored: StoreFacts) -> Mapping[str, Proven]:
    """The last proof of each sort whose snapshot is there: of one that is gone it proves nothing about the others."""
    names = {snapshot.name for snapshot in stored.sealed if snapshot.recorded}
    return {sort: proof for sort, proof in stored.proven.items() if proof.snapshot in names}


def stale(stored: StoreFacts, sorts: Sequence[str], every: timedelta, now: datetime) -> tuple[Doubt, ...]:
    """What was not proven for longer than `every`, or never, of these sorts; or only of a snapshot that is gone."""
    known, doubts = standing(stored), []
    for sort in sorts:
        last, lost = known.get(sort), stored.proven.get(sort)
        what = f"a restore of {'files' if sort == 'files' else 'the database'}"
        if last is None and lost is not None:
            text = f"{what} was last proven to work with {lost.snapshot}, which is gone"
            doubts.append(Doubt(text=f"{text}: it proves nothing of the others", do="run a job of kind drill"))
        elif last is None:
            doubts.append(Doubt(text=f"{what} was never proven to work", do="run a job of kind drill"))
        elif now - last.at > every:
            text = f"{what} was last proven to work {_age(last, now)} ago, with {last.snapshot}"
            doubts.append(Doubt(text=text, do="see in `runner history` how the job of kind drill ends"))
    return tuple(doubts)


def _age(proven: Proven, now: datetime) -> str:
    return length(max(now - proven.at, timedelta(0)))
