"""The part of the journal about runs that are under way, and how the jobs of a run ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runner.model.facts import Timed
from runner.model.plan import PREPARE
from runner.model.role import Role
from runner.model.run import State, Verdict

Rows = Callable[..., list[tuple[Any, ...]]]

_LAST = 10
# What a step took: as often as is looked at, as many as are kept, and no longer, in seconds, than there are times for.
_LOOKED_AT, _MOST, _LONGEST = 500, 5, 366 * 86400
_TOOK = """
SELECT job, role, subject, coalesce(json_extract(result, '$.waited'),
  CASE WHEN json_extract(result, '$.detached') THEN json_extract(result, '$.seconds') END) AS took
FROM steps WHERE state = ? AND took IS NOT NULL ORDER BY rowid DESC LIMIT ?
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobNow:
    """A job of a run that is under way: at step `step`, the `number`th of `of`, or not begun where `started` is None.

    `verdict` is "" until it has ended in this plan. `usual` is the median of the seconds it took when it was last done;
    None where unknown.
    """

    job: str
    started: datetime | None = None
    step: str = ""
    number: int = 0
    of: int = 0
    verdict: str = ""
    usual: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has begun and not ended."""
        return self.started is not None and not self.verdict

    def left(self, now: datetime) -> float | None:
        """How many more seconds it will take if it is as always; None where that is not known, or it takes longer."""
        if self.usual is None:
            return None
        gone = max((now - self.started).total_seconds(), 0.0) if self.started else 0.0
        return self.usual - gone if self.usual > gone else None


class RunProgress:
    """What the runs of a journal have come to."""

    def __init__(self, rows: Rows) -> None:
        """`rows` gives the rows that a statement selects."""
        self._rows = rows

    def jobs(self, run: str) -> dict[str, str]:
        """How each job of the run ended, in the order in which they did; without those that prepare a host."""
        rows = self._rows(
            "SELECT job, verdict FROM jobs WHERE run = ?1 AND job NOT IN (SELECT json_extract(value, '$.name') "
            "FROM plans, json_each(plan, '$.jobs') WHERE run = ?1 AND json_extract(value, '$.kind') = ?2) "
            "ORDER BY rowid",
            run,
            PREPARE,
        )
        return dict(rows)

    def ended_since(self, run: str) -> frozenset[str]:
        """The jobs that ended in this run or in one that began after it."""
        rows = self._rows(
            "SELECT DISTINCT job FROM jobs WHERE run IN "
            "(SELECT id FROM runs WHERE rowid >= (SELECT rowid FROM runs WHERE id = ?))",
            run,
        )
        return frozenset(job for (job,) in rows)

    def of(self, run: str) -> tuple[JobNow, ...]:
        """The jobs of a run that is under way, as its last plan has them, without those that prepare a host.

        A job that is planned again has not ended, whatever became of it in an earlier pass.
        """
        plans = self._rows("SELECT id, plan FROM plans WHERE run = ? ORDER BY rowid DESC LIMIT 1", run)
        ended = self.jobs(run)
        for plan, text in plans:
            values = json.loads(text)
            rows = self._rows(
                "SELECT id, job, started, ended FROM steps WHERE plan = ? ORDER BY ended IS NULL, rowid", plan
            )
            names = [job["name"] for job in values.get("jobs", ()) if job.get("kind") != PREPARE]
            steps = [(step["id"], step["job"]) for step in values.get("steps", ())]
            return tuple(self._job(name, steps, rows, ended) for name in names)
        return ()

    def _job(
        self, name: str, steps: list[tuple[str, str]], rows: list[tuple[Any, ...]], ended: dict[str, str]
    ) -> JobNow:
        own = [step for step, job in steps if job == name]
        begun = [(step, started) for step, job, started, _ in rows if job == name]
        over = {step for step, _, _, end in rows if end is not None}
        verdict = ended.get(name, "") if over.issuperset(own) else ""
        if not begun:
            return JobNow(job=name, of=len(own), verdict=verdict, usual=self._usual(name))
        last = begun[-1][0]
        return JobNow(
            job=name,
            started=min(datetime.fromisoformat(started) for _, started in begun),
            step=last.rpartition("/")[2],
            number=own.index(last) + 1 if last in own else 0,
            of=len(own),
            verdict=verdict,
            usual=self._usual(name),
        )

    def _usual(self, job: str) -> float | None:
        rows = self._rows(
            "SELECT started, ended FROM jobs WHERE job = ? AND verdict NOT IN (?, ?) ORDER BY rowid DESC LIMIT ?",
            job, Verdict.FAILED.value, Verdict.NOTHING.value, _LAST,
        )  # fmt: skip
        from statistics import median  # late: only a look at a run asks for it

        times = [(datetime.fromisoformat(begin), datetime.fromisoformat(end)) for begin, end in rows]
        return median(max((end - begin).total_seconds(), 0.0) for begin, end in times) if times else None


def took(rows: Rows) -> dict[Timed, tuple[float, ...]]:
    """How many seconds each step that waits, or is detached, took when it was last done, newest first."""
    durations: dict[Timed, tuple[float, ...]] = {}
    for job, role, subject, seconds in rows(_TOOK, State.DONE.value, _LOOKED_AT):
        # Any host may have answered such words to any step, with anything for a number.
        if isinstance(seconds, (int, float)) and seconds <= _LONGEST:
            step = (job, Role(role), subject)
            durations[step] = (*durations.get(step, ()), max(float(seconds), 0.0))[:_MOST]
    return durations
