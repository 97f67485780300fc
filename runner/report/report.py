"""The report of a run: job reports and findings to one report, and to the lines that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from runner.model.plan import Finding, Plan, Skip
from runner.model.role import Phase
from runner.model.run import JobReport, Report, Verdict
from runner.model.site import Site
from runner.model.text import length, minute, one_line
from runner.report.line import Line, Style, line
from runner.report.todo import to_do

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
    """What a report is made of, beside the site: the run's id and times, what was planned and done.

    `weights` orders what there is to do: of the job with the least comes first.
    """

    run: str
    started: datetime
    ended: datetime
    plans: tuple[Plan, ...] = ()
    jobs: tuple[JobReport, ...] = ()
    skips: tuple[Skip, ...] = ()
    findings: tuple[Finding, ...] = ()
    log: tuple[str, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)


def compose(site: Site, result: RunResult) -> Report:
    """The report of a run: the verdict is the worst of its jobs and findings; what to do comes first."""
    findings = tuple(
        dict.fromkeys((*(finding for plan in result.plans for finding in plan.findings), *result.findings))
    )
    serious = [finding for finding in findings if finding.severity != "note"]
    todo = to_do(result.jobs, serious, result.weights)
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
        actions=todo.items,
        jobs=result.jobs,
        skips=result.skips,
        findings=(*todo.left, *(note for note in findings if note.severity == "note" and note.phase != Phase.FORECAST)),
        log=result.log,
        recipients={"admin": site.people.admin, "experts": site.people.experts, "users": site.people.users},
    )


def report_lines(report: Report) -> tuple[Line, ...]:
    """The report at a terminal or in a log."""
    ended = report.ended.astimezone(ZoneInfo(report.timezone))
    took = length(report.ended - report.started)
    verdict = (report.verdict.value.capitalize(), _STYLES[report.verdict])
    lines = [line(verdict, f"  {report.site}, {ended:%Y-%m-%d %H:%M %Z}, after {took}")]
    if report.actions:
        lines += [line(), line(("What to do", "head"))]
        lines += [line("  ", ("* ", "warn"), *_sentence(todo.lead, todo.do, todo.command)) for todo in report.actions]
    # The other notes were seen in the plan.
    for finding in report.findings:
        if finding.severity != "note":
            text = ": ".join(filter(None, (finding.source, finding.text)))
            pieces = _sentence(text, finding.do, finding.command)
            lines.append(line("  ", (f"{finding.severity}: ", "warn"), *pieces))
        elif finding.phase == Phase.RUN:
            lines.append(line(one_line(finding.text)))
    for job in report.jobs:
        when = f"  for {minute(job.instant, report.timezone)}" if job.instant else ""
        lines += [line(), line((job.job, "name"), "  ", (job.verdict.value, _STYLES[job.verdict]), when)]
        lines += [line(f"  {one_line(text)}") for text in (job.headline, *job.details)]
        lines += [line("  ", (one_line(text), "advice")) for text in job.advice]
    return (*lines, *skip_lines("Not done", report.skips))


def _sentence(text: str, do: str, command: str) -> Line:
    """What is wrong, and behind it in the same sentence what to do."""
    advice = one_line(f"{do} {command}".strip())
    return line(one_line(text), *((": ", (advice, "advice")) if advice else ()))


def skip_lines(heading: str, skips: Sequence[Skip]) -> tuple[Line, ...]:
    """The jobs that were left out, and why, under a heading, those that are done under another; nothing without any."""
    groups = {heading: [skip for skip in skips if not skip.done], "Done before": [skip for skip in skips if skip.done]}
    lines: list[Line] = []
    for head, rows in groups.items():
        lines += [line(), line((head, "head"))] if rows else []
        lines += [line("  ", (names, "name"), f"  {one_line(reason)}") for names, reason in merged_skips(rows)]
    return tuple(lines)


def merged_skips(skips: Sequence[Skip]) -> tuple[tuple[str, str], ...]:
    """The names of jobs that were left out, and the reason; those that have one cause together."""
    merged: dict[tuple[str, ...], list[Skip]] = {}
    for skip in skips:
        merged.setdefault((skip.cause, skip.reason) if skip.cause else (skip.job,), []).append(skip)
    return tuple((", ".join(skip.job for skip in same), same[0].reason) for same in merged.values())
