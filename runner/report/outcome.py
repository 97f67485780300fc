"""The passes of a run as reports: job by job, for the journal, for people, and as an exit code."""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from runner.model import cause
from runner.model.errors import BUG, Busy, FactsIncomplete, PlanRefused, RunnerError, StalePlan
from runner.model.plan import Effect, Finding, Plan, PlannedJob, Skip
from runner.model.role import Phase
from runner.model.run import STOPPED, Around, JobLine, JobReport, Outcome, Pass, Report, Reporter, State, Stop, Verdict
from runner.model.site import Site
from runner.model.text import one_line
from runner.report.default import default_report

_LOG_LINES = 200


def _latest(done: Sequence[Pass]) -> tuple[tuple[PlannedJob, Plan, tuple[Outcome, ...]], ...]:
    """Each job with its outcomes in the last pass that had it, in the order they were first planned."""
    last = {
        job.name: (job, item.plan, tuple(outcome for outcome in item.outcomes if outcome.job == job.name))
        for item in done
        for job in item.plan.jobs
    }
    return tuple(last.values())


def job_reports(done: Sequence[Pass], kinds: Mapping[str, Reporter], site: Site) -> tuple[JobReport, ...]:
    """A report for each job, made by its kind, without those that people need not hear of."""
    reports: dict[str, JobReport] = {}
    for job, plan, outcomes in _latest(done):
        before = (outcome for item in done if item.plan is not plan for outcome in item.outcomes)
        around = Around(
            live=plan.live,
            looked=_looked(job, plan),
            earlier=tuple(outcome for outcome in before if outcome.job == job.name),
            reports=dict(reports),
        )
        report = _report(job, outcomes, around, kinds)
        reports[job.name] = replace(report, cause=report.cause or _cause(site, report, outcomes))
    return tuple(report for report in reports.values() if not report.quiet)


def current(done: Sequence[Pass], reports: Sequence[JobReport]) -> tuple[Plan, ...]:
    """The plans of a run with what is still to be said of them when it is over.

    What a pass found out about a job is void where a later one planned that again; that a store has no snapshot is,
    where the run made one, and so is what was foreseen of a snapshot that is there now. Why a job was left out is not
    said again where its report has the same cause.
    """
    failed = {(report.job, report.cause) for report in reports if report.cause}
    there = {report.job for report in reports if report.made}
    made = {cause.of_store(report.made.partition("/")[0], cause.Fault.EMPTY) for report in reports if report.made}
    plans = []
    for number, item in enumerate(done):
        later = [other.plan for other in done[number + 1 :]]
        again = {job.name for plan in later for job in plan.jobs} | {skip.job for plan in later for skip in plan.skips}
        plan = item.plan
        findings = (
            each
            for each in plan.findings
            if each.source not in again
            and each.cause not in made
            and not (each.phase == Phase.FORECAST and each.source in there)
        )
        skips = (
            _not_empty(skip) if skip.cause in made else skip
            for skip in plan.skips
            if skip.job not in again and (skip.job, skip.cause) not in failed
        )
        plans.append(replace(plan, findings=tuple(findings), skips=tuple(skips)))
    return tuple(plans)


def _not_empty(skip: Skip) -> Skip:
    return replace(skip, reason="there was no snapshot when it was planned; the next run does it", cause="")


def _cause(site: Site, report: JobReport, outcomes: Sequence[Outcome]) -> str:
    """The name of what the job stopped of, where other jobs may stop of it too."""
    outcome = next((outcome for outcome in outcomes if outcome.state in STOPPED), None)
    if outcome is None or report.verdict not in (Verdict.FAILED, Verdict.ATTENTION):
        return ""
    fault = cause.fault_of(outcome.result)
    if outcome.cause or fault is None:
        return outcome.cause
    if fault == cause.Fault.CLOCK:
        return cause.of_host(site.controller, fault)
    store = next((getattr(job.options, "store", "") for job in site.jobs if job.name == report.job), "")
    return cause.of_store(store, fault) if store else ""


def job_lines(done: Pass, kinds: Mapping[str, Reporter]) -> tuple[JobLine, ...]:
    """What the journal records of each job; a job that found its store busy did not run at all."""
    lines = []
    for job, plan, outcomes in _latest((done,)):
        if outcomes and all(outcome.state != State.BUSY for outcome in outcomes):
            report = _report(job, outcomes, Around(live=plan.live, looked=_looked(job, plan)), kinds)
            started = min(outcome.started for outcome in outcomes if outcome.started)
            ended = max(outcome.ended for outcome in outcomes if outcome.ended)
            line = JobLine(
                job=job.name,
                verdict=report.verdict,
                headline=report.headline,
                started=started,
                ended=ended,
                written=report.written,
            )
            lines.append(line)
    return tuple(lines)


def _looked(job: PlannedJob, plan: Plan) -> bool:
    return {step.effect for step in plan.steps if step.job == job.name} == {Effect.READ}


def _report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around, kinds: Mapping[str, Reporter]) -> JobReport:
    # A kind of a plugin need not have a report of its own.
    by_kind = getattr(kinds.get(job.kind), "report", default_report)
    try:
        report: object = by_kind(job, outcomes, around)
    except Exception as error:  # a host's odd answer, or a plugin, must not keep what was done from people
        report = error
    if not isinstance(report, JobReport) or report.job != job.name:
        report = _unreported(default_report(job, outcomes, around), job.kind, report)
    return replace(report, stop=report.stop or _stop(outcomes), instant=job.instant)


def _unreported(plain: JobReport, kind: str, instead: object) -> JobReport:
    """What is known without the kind, which could not say how its job ended; a person must look."""
    why = f"kind {kind} could not report it: {one_line(repr(instead))}; tell its makers"
    verdict = plain.verdict if plain.verdict == Verdict.FAILED else Verdict.ATTENTION
    headline = f"{plain.headline}; how it ended is not fully known: see the log"
    return replace(plain, verdict=verdict, headline=headline, details=(*plain.details, why))


def killed(started: datetime) -> Finding:
    """What the next run says about one that was killed."""
    text = f"the run of {started:%Y-%m-%d %H:%M} UTC was killed before it ended"
    return Finding(severity="note", source="journal", text=text, phase=Phase.RUN)


def put_aside(path: str, why: str, at: datetime, *, newer: bool) -> Finding:
    """What the first report after it says of a journal that could not be read."""
    text = (
        f"the journal could not be read ({why}); it was put aside, and a new one begins. What ran before "
        f"{at:%Y-%m-%d %H:%M} UTC is not known: what is due is done again, unless a snapshot or a dump says that it was"
    )
    first = "one site needs one version of the runner" if newer else "look at the disk that it is on (dmesg)"
    do = f"{first}; when nobody needs the old one any more:"
    # With the log beside it, where there is one; it may be a folder.
    command = shlex.join(("rm", "-rf", "--", path, f"{path}-wal", f"{path}-shm"))
    return Finding(severity="attention", source="journal", text=text, do=do, command=command, phase=Phase.RUN)


def unrecorded(error: RunnerError) -> Finding:
    """What is said where the journal did not take what was done: it was done all the same."""
    text = f"what was done could not be recorded, and is in this message only: {error.text}"
    return Finding(severity="attention", source="journal", text=text, do=error.do, command=error.command)


def refusal(trouble: Exception) -> Finding:
    """Why a run stopped: a reason that a person can act on, or a bug."""
    text, do, command = f"a bug: {trouble!r}", "send the log below to the makers", ""
    if isinstance(trouble, RunnerError):
        text, do, command = trouble.text, trouble.do, trouble.command
    return Finding(severity="refusal", source="runner", text=text, do=do, command=command)


def log(done: Sequence[Pass], trouble: Exception | None) -> tuple[str, ...]:
    """The log for the end of a report: a line for each step with its last output, then the trace of a bug."""
    lines = [text for item in done for outcome in item.outcomes for text in _outcome_log(outcome)]
    bug = trouble is not None and not isinstance(trouble, RunnerError)
    trace = "".join(traceback.format_exception(trouble)).splitlines() if bug else ()
    return (*lines, *trace)[-_LOG_LINES:]


def exit_code(report: Report, trouble: Exception | None) -> int:
    """The code of what stopped the run, or else that of its report's verdict; see EXIT_CODES."""
    if trouble is not None:
        return trouble.code if isinstance(trouble, RunnerError) else BUG
    stops = [job.stop for job in report.jobs if job.verdict == report.verdict]
    match report.verdict:
        case Verdict.FAILED if not stops:
            # No job failed, so a finding refuses it.
            return PlanRefused.code
        case Verdict.FAILED:
            return StalePlan.code if all(stop == Stop.STALE for stop in stops) else RunnerError.code
        case Verdict.ATTENTION:
            # Whoever comes again when the others are done would not hear of what a person must do.
            return Busy.code if all(todo.busy for todo in report.actions) else FactsIncomplete.code
        case Verdict.DONE | Verdict.NOTHING:
            return 0
        case _:
            assert_never(report.verdict)


def _stop(outcomes: Sequence[Outcome]) -> Stop:
    states = {outcome.state for outcome in outcomes}
    if states & {State.FAILED, State.INTERRUPTED}:
        return Stop.NONE
    if any(outcome.state == State.STALE and outcome.result.get("unread") is not True for outcome in outcomes):
        return Stop.STALE
    if State.STALE in states:
        return Stop.NONE
    return Stop.BUSY if State.BUSY in states else Stop.NONE


def _outcome_log(outcome: Outcome) -> list[str]:
    exit_text = "" if outcome.exit is None else f" (exit {outcome.exit})"
    took = ""
    if outcome.started and outcome.ended and outcome.state not in (State.NOT_NEEDED, State.NOT_HERE):
        took = f" {(outcome.ended - outcome.started).total_seconds():.1f} s"
    note = f": {outcome.note}" if outcome.note else ""
    head = f"{outcome.step}: {outcome.state.value}{exit_text}{took}{note}"
    return [head, *(f"  {text}" for text in outcome.log.splitlines())]
