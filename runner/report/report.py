"""The report of a run: job reports and findings to one report, and to the lines that people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from runner.model.plan import Finding, Plan, Skip
from runner.model.role import Phase
from runner.model.run import JobReport, Report, Todo, Verdict
from runner.model.site import Site
from runner.model.text import length, minute, one_line
from runner.report.line import Line, Style, line

_STYLES: dict[Verdict, Style] = {
    Verdict.NOTHING: "good",
    Verdict.DONE: "good",
    Verdict.ATTENTION: "warn",
    Verdict.FAILED: "bad",
}


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The most serious of them; `nothing done` where there is none."""
    return max(verdicts, key=tuple(Verdict).index, default=Verdict.NOTHING)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """What a report is made of, beside the site: the run's id and times, what was planned and done."""

    run: str
    started: datetime
    ended: datetime
    plans: tuple[Plan, ...] = ()
    jobs: tuple[JobReport, ...] = ()
    skips: tuple[Skip, ...] = ()
    findings: tuple[Finding, ...] = ()
    log: tuple[str, ...] = ()


def compose(site: Site, result: RunResult) -> Report:
    """The report of a run: the verdict is the worst of its jobs and findings; what to do comes first."""
    findings = tuple(
        dict.fromkeys((*(finding for plan in result.plans for finding in plan.findings), *result.findings))
    )
    serious = [finding for finding in findings if finding.severity != "note"]
    verdicts = [Verdict.FAILED if finding.severity == "refusal" else Verdict.ATTENTION for finding in serious]
    return Report(
        site=site.name,
        run=result.run,
        controller=site.controller,
        verdict=worst([*(job.verdict for job in result.jobs), *verdicts]),
        started=result.started,
        ended=result.ended,
        timezone=site.timezone,
        sandbox="" if site.live else site.sandbox,
        actions=_actions(result.jobs, serious),
        jobs=result.jobs,
        skips=result.skips,
        findings=tuple(note for note in findings if note.severity == "note" and note.phase != Phase.FORECAST),
        log=result.log,
        recipients={"admin": site.people.admin, "experts": site.people.experts, "users": site.people.users},
    )


def _actions(jobs: Sequence[JobReport], serious: Sequence[Finding]) -> tuple[Todo, ...]:
    """What to do, the failures first: what else is due may be for another day."""
    failed, others = (
        [Todo(text=f"{job.job}: {job.headline}") for job in jobs if job.verdict == verdict]
        for verdict in (Verdict.FAILED, Verdict.ATTENTION)
    )
    wishes = [
        Todo(text=": ".join(filter(None, (finding.source, finding.text, finding.do))), command=finding.command)
        for finding in serious
    ]
    return (*failed, *wishes, *others)


def report_lines(report: Report) -> tuple[Line, ...]:
    """The report at a terminal or in a log."""
    ended = report.ended.astimezone(ZoneInfo(report.timezone))
    took = length(report.ended - report.started)
    verdict = (report.verdict.value.capitalize(), _STYLES[report.verdict])
    lines = [line(verdict, f"  {report.site}, {ended:%Y-%m-%d %H:%M %Z}, after {took}")]
    if report.actions:
        lines += [line(), line(("What to do", "head"))]
        lines += [line("  ", ("* ", "warn"), one_line(str(todo))) for todo in report.actions]
    # The others were seen in the plan.
    lines += [line(one_line(finding.text)) for finding in report.findings if finding.phase == Phase.RUN]
    for job in report.jobs:
        when = f"  for {minute(job.instant, report.timezone)}" if job.instant else ""
        lines += [line(), line((job.job, "name"), "  ", (job.verdict.value, _STYLES[job.verdict]), when)]
        lines += [line(f"  {one_line(text)}") for text in (job.headline, *job.details)]
    return (*lines, *skip_lines("Not done", report.skips))


def skip_lines(heading: str, skips: Sequence[Skip]) -> tuple[Line, ...]:
    """The jobs that were left out, and why, under a heading, those that are done under another; nothing without any."""
    groups = {heading: [skip for skip in skips if not skip.done], "Done before": [skip for skip in skips if skip.done]}
    lines: list[Line] = []
    for head, rows in groups.items():
        lines += [line(), line((head, "head"))] if rows else []
        lines += [line("  ", (skip.job, "name"), f"  {one_line(skip.reason)}") for skip in rows]
    return tuple(lines)
