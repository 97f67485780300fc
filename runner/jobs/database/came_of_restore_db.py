"""What came of restoring a database, or of putting it in another's place."""

from __future__ import annotations

from collections.abc import Sequence

from runner.model.plan import PlannedJob
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.text import count, length, one_line
from runner.tools.fields import texts, whole

_SHOWN = 10
_ENDS = {"restore-db": "name", "swap-db": "swap"}


def restore_db_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """Done with what it brought, attention where settings of the database did not come back; None for a job
    of another kind, or one that did not get so far.
    """
    last = _ENDS.get(job.kind)
    done = {one.step.rpartition("/")[2]: one for one in outcomes if one.state == State.DONE}
    if last not in done or any(one.state == State.FAILED for one in outcomes):
        return None
    left = texts(done["restore"].result.get("left")) if "restore" in done else ()
    details = [f"did not come back: {one_line(one)}" for one in left[:_SHOWN]]
    ended = whole(done[last].result.get("ended"))
    details += [f"{count(ended, 'session')} ended"] if ended else []
    if "restore" in done and "compare" in done:
        took = [
            (one.ended - one.started)
            for one in (done["restore"], done["compare"])
            if one.ended and one.started
        ]
        details += (
            [f"restored in {length(took[0])}, compared in {length(took[-1])}"] if len(took) == 2 else []
        )
    verdict = Verdict.ATTENTION if left else Verdict.DONE
    settings = f"; but {count(len(left), 'setting')} of the database did not come back" if left else ""
    return JobReport(job=job.name, verdict=verdict, headline=f"{job.told}{settings}", details=tuple(details))
