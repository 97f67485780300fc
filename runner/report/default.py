"""The report of a job whose kind has nothing to add: how it stopped, or how many steps were done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from runner.model import cause
from runner.model.plan import PlannedJob
from runner.model.run import STOPPED, Around, JobReport, Outcome, State, Verdict
from runner.model.text import count, one_line

_SHOWN = 5


class ReportFunction(Protocol):
    """How a job ended, from the outcomes of its steps."""

    def __call__(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """Pure."""


def default_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around, headline: str = "") -> JobReport:
    """How the job stopped, or else `headline`, what the kind knew when it planned, or how many steps are done."""
    if report := stopped(job, outcomes):
        return report
    done = sum(outcome.state == State.DONE for outcome in outcomes)
    idle = outcomes and not done
    verdict = Verdict.NOTHING if idle or around.looked else Verdict.DONE
    headline = headline or job.headline or ("no step was needed" if idle else f"{count(done, 'step')} done")
    printed = [text for outcome in outcomes for text in tail(outcome)] if around.looked and not idle else []
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=(*job.details, *printed))


def or_default(report: Callable[[PlannedJob, Sequence[Outcome]], JobReport | None]) -> ReportFunction:
    """The report that is `report`, or the default one where that is None."""
    return lambda job, outcomes, around: report(job, outcomes) or default_report(job, outcomes, around)


def stopped(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """Where and why the job stopped, from its first step that did not end well; None where all did."""
    outcome = next((outcome for outcome in outcomes if outcome.state in STOPPED), None)
    if outcome is None:
        return None
    verdict, details = Verdict.FAILED, tail(outcome)
    match outcome.state:
        case State.BUSY:
            verdict, details, text = Verdict.ATTENTION, (), f"busy: {outcome.note}"
        case State.ALREADY:
            verdict, details, text = Verdict.NOTHING, (), f"already done: {outcome.note}"
        case State.STALE:
            details, text = (), f"stale at {outcome.label}: {outcome.note}"
        case State.INTERRUPTED:
            kept = " What was sent is kept, and the next run takes it up." if job.writes else ""
            text = f"interrupted at {outcome.label}: {outcome.note}.{kept}"
            if outcome.cause == cause.STOPPED:
                # What its programs printed is how they ended when they were told to.
                details, text = (), f"stopped by Ctrl-C or a signal, at {outcome.label}.{kept}"
        case _:
            text = f"{outcome.label} failed: {outcome.note}"
    return JobReport(job=job.name, verdict=verdict, headline=text, details=details)


def tail(outcome: Outcome) -> tuple[str, ...]:
    """The last lines that a step printed, each harmless."""
    return tuple(one_line(text) for text in outcome.log.strip().splitlines()[-_SHOWN:])
