"""The part of the journal about instants: for which scheduled time a job was planned, and whether that was done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from runner.model.plan import Effect, Plan
from runner.model.role import Role
from runner.model.run import State, Verdict

SCHEMA = """
CREATE TABLE IF NOT EXISTS instants (
  plan TEXT NOT NULL REFERENCES plans, job TEXT NOT NULL, instant TEXT NOT NULL, PRIMARY KEY (plan, job));
CREATE INDEX IF NOT EXISTS instants_by_job ON instants (job, instant);
"""

# Of a step whose end nobody saw it is not known that it did nothing, also when a report has mentioned that since.
BEGUN = (
    f"(state IS NULL OR state = '{State.DONE}' "
    f"OR state = '{State.INTERRUPTED}' AND (exit IS NOT NULL OR steps.ended IS NULL))"
)

_DONE = f"""
SELECT max(at) FROM (
  SELECT jobs.ended AS at FROM instants JOIN plans ON plans.id = instants.plan
    JOIN jobs ON jobs.run = plans.run AND jobs.job = instants.job
    WHERE instants.job = ? AND instant = ? AND plans.run != ? AND verdict != ?
  UNION ALL
  SELECT steps.started AS at FROM instants JOIN plans ON plans.id = instants.plan
    JOIN steps ON steps.plan = plans.id AND steps.job = instants.job
    WHERE instants.job = ? AND instant = ? AND plans.run != ?
      AND effect = ? AND {BEGUN} AND role IN (?, ?) AND subject = '')
"""  # noqa: S608 (constant)


class Instants:
    """Which job was planned for which instant, by plan. What was run by hand is not in it."""

    def __init__(self, do: Callable[..., int], rows: Callable[..., list[tuple[Any, ...]]]) -> None:
        """`do` runs a statement of the journal with its values, `rows` gives the rows it selects."""
        self._do, self._rows = do, rows

    def planned(self, plan: Plan) -> None:
        """The plan is about to begin, for these instants."""
        for job in plan.jobs:
            if job.instant:
                statement = "INSERT OR IGNORE INTO instants (plan, job, instant) VALUES (?, ?, ?)"
                self._do(statement, plan.id, job.name, _text(job.instant))

    def done(self, job: str, instant: datetime, *, but: str = "") -> datetime | None:
        """When the job was done for that instant by a run (any `but` this one); None where it was not.

        One that took a host down counts, however it ended: nothing reboots twice for one instant.
        """
        known = (job, _text(instant), but)
        ((at,),) = self._rows(
            _DONE, *known, Verdict.FAILED.value, *known,
            Effect.INTERRUPT.name, Role.DOWN.value, Role.OFF.value,
        )  # fmt: skip
        return datetime.fromisoformat(at) if at else None

    def of(self, run: str) -> dict[str, datetime]:
        """For which instant a run was for each of its jobs; what it ran by hand is not in it."""
        rows = self._rows(
            "SELECT job, instant FROM instants JOIN plans ON plans.id = instants.plan WHERE run = ? ORDER BY job", run
        )
        return {job: datetime.fromisoformat(instant) for job, instant in rows}

    def unended(self, job: str, instant: datetime) -> str:
        """The last run that began the job for that instant, where the job has no end in it; else ""."""
        rows = self._rows(
            "SELECT plans.run, jobs.verdict FROM instants JOIN plans ON plans.id = instants.plan "
            "LEFT JOIN jobs ON jobs.run = plans.run AND jobs.job = instants.job "
            "WHERE instants.job = ? AND instant = ? ORDER BY plans.rowid DESC LIMIT 1", job, _text(instant),
        )  # fmt: skip
        return str(rows[0][0]) if rows and rows[0][1] is None else ""


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
