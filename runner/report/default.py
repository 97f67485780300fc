"""What became of a job whose kind has nothing to add: how it stopped, or how many steps were done."""

from __future__ import annotations

from collections.abc import Sequence

from runner.model.plan import PlannedJob
from runner.model.run import Around, JobReport, Outcome, State, Verdict
from runner.model.text import count, one_line

STOPPED = (State.FAILED, State.STALE, State.INTERRUPTED, State.BUSY)
_SHOWN = 5


def default_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around, words: str = "") -> JobReport:
    """How the job stopped, or else `words`, what the kind found out when it planned, or how many steps are done."""
    if report := stopped(job, outcomes):
        return report
    done = sum(one.state == State.DONE for one in outcomes)
    words = words or job.told
    if outcomes and not done:
        return JobReport(job=job.name, verdict=Verdict.NOTHING, headline=words or "no step was needed")
    printed = tuple(text for one in outcomes for text in tail(one)) if around.looked else ()
    verdict = Verdict.NOTHING if around.looked else Verdict.DONE
    words = words or f"{count(done, 'step')} done"
    return JobReport(job=job.name, verdict=verdict, headline=words, details=printed)


def stopped(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """Where and why the job stopped, from its first step that did not end well; None where all did."""
    outcome = next((one for one in outcomes if one.state in STOPPED), None)
    if outcome is None:
        return None
    step = outcome.label
    kept = " What was sent is kept, and the next run takes it up." if job.writes else ""
    match outcome.state:
        case State.BUSY:
            return JobReport(job=job.name, verdict=Verdict.ATTENTION, headline=f"busy: {outcome.note}")
        case State.STALE:
            text = f"stale at {step}: {outcome.note}"
            return JobReport(job=job.name, verdict=Verdict.FAILED, headline=text)
        case State.INTERRUPTED:
            text = f"interrupted at {step}: {outcome.note}.{kept}"
        case _:
            text = f"{step} failed: {outcome.note}"
    return JobReport(job=job.name, verdict=Verdict.FAILED, headline=text, details=tail(outcome))


def tail(outcome: Outcome) -> tuple[str, ...]:
    """The last lines that a step printed, each harmless."""
    return tuple(one_line(text) for text in outcome.log.strip().splitlines()[-_SHOWN:])
