"""What came of the passes of a run: job by job, for the journal, for people, and as an exit code."""

from __future__ import annotations

from collections.abc import Sequence

from runner.model.plan import Plan, PlannedJob
from runner.model.run import JobLine, JobReport, Outcome, Pass, Report, State, Verdict
from runner.view.report import job_report

_LOG_LINES = 200


def latest(done: Sequence[Pass]) -> tuple[tuple[PlannedJob, Plan, tuple[Outcome, ...]], ...]:
    """Each job with its outcomes in the last pass that had it, in the order they were first planned."""
    last = {
        job.name: (job, item.plan, tuple(one for one in item.outcomes if one.job == job.name))
        for item in done
        for job in item.plan.jobs
    }
    return tuple(last.values())


def job_reports(done: Sequence[Pass]) -> tuple[JobReport, ...]:
    """A report a job; that a host was prepared is worth a word only when it went wrong."""
    told = [(job, job_report(job, outcomes, live=plan.live)) for job, plan, outcomes in latest(done)]
    return tuple(one for job, one in told if job.kind != "prepare" or one.verdict != Verdict.DONE)


def job_lines(done: Pass) -> tuple[JobLine, ...]:
    """What the journal keeps of each job; one that found its store busy did not run at all."""
    return tuple(
        _line(outcomes, job_report(job, outcomes, live=plan.live))
        for job, plan, outcomes in latest((done,))
        if outcomes and all(one.state != State.BUSY for one in outcomes)
    )


def log(done: Sequence[Pass], trace: Sequence[str]) -> tuple[str, ...]:
    """The log for the end of a report: a line a step with its last words, then the trace of a bug."""
    lines = [text for item in done for one in item.outcomes for text in _outcome_log(one)]
    return (*lines, *trace)[-_LOG_LINES:]


def exit_code(report: Report, done: Sequence[Pass]) -> int:
    """The worst of its parts: failed, stale, attention, busy, done."""
    states = {one.state for _, _, outcomes in latest(done) for one in outcomes}
    if states & {State.FAILED, State.INTERRUPTED}:
        return 1
    if State.STALE in states:
        return 5
    if State.BUSY in states:
        return 75
    return 3 if report.verdict == Verdict.ATTENTION else 0


def _line(outcomes: Sequence[Outcome], told: JobReport) -> JobLine:
    sealed = next((one.result for one in outcomes if "sealed" in one.result), None)
    return JobLine(
        job=told.job,
        verdict=told.verdict,
        headline=told.headline,
        started=min(one.started for one in outcomes if one.started),
        ended=max(one.ended for one in outcomes if one.ended),
        written=(int(sealed["added_bytes"]), int(sealed["added_files"])) if sealed else None,
    )


def _outcome_log(one: Outcome) -> list[str]:
    exit_text = "" if one.exit is None else f" (exit {one.exit})"
    took = f"{(one.ended - one.started).total_seconds():.1f} s" if one.started and one.ended else ""
    note = f": {one.note}" if one.note else ""
    head = f"{one.step}: {one.state.value}{exit_text} {took}{note}".rstrip()
    return [head, *(f"  {text}" for text in one.log.splitlines())]
