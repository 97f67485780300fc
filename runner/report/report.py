"""What became of a run: outcomes to job reports, to one report, to the lines that people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from runner.model.plan import Finding, Plan, Skip
from runner.model.role import Phase
from runner.model.run import JobReport, Report, Verdict
from runner.model.site import Site
from runner.model.text import length, one_line
from runner.report.line import Line, Style, line

_RANK = (Verdict.NOTHING, Verdict.DONE, Verdict.ATTENTION, Verdict.FAILED)
_ROLES: dict[Verdict, Style] = {
    Verdict.NOTHING: "good",
    Verdict.DONE: "good",
    Verdict.ATTENTION: "warn",
    Verdict.FAILED: "bad",
}


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The most serious of them; `nothing done` where there is none."""
    return max(verdicts, key=_RANK.index, default=Verdict.NOTHING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a report is made of, beside the site: the run's id and times, what was planned and done."""

    run: str
    started: datetime
    ended: datetime
    plans: tuple[Plan, ...] = ()
    jobs: tuple[JobReport, ...] = ()
    skips: tuple[Skip, ...] = ()
    findings: tuple[Finding, ...] = ()
    log: tuple[str, ...] = ()


def report(site: Site, told: Told) -> Report:
    """The report of a run: the verdict is the worst of its jobs and findings; what to do comes first."""
    findings = _once((*(one for plan in told.plans for one in plan.findings), *told.findings))
    serious = [
        Verdict.FAILED if one.severity == "refusal" else Verdict.ATTENTION for one in findings if one.severity != "note"
    ]
    verdict = worst([*(job.verdict for job in told.jobs), *serious])
    return Report(
        site=site.name,
        run=told.run,
        controller=site.controller,
        verdict=verdict,
        started=told.started,
        ended=told.ended,
        timezone=site.timezone,
        sandbox="" if site.live else site.sandbox,
        actions=_actions(told.jobs, findings),
        jobs=told.jobs,
        skips=told.skips,
        findings=tuple(one for one in findings if one.severity == "note" and one.phase != Phase.FORECAST),
        log=told.log,
        recipients={"admin": site.people.admin, "experts": site.people.experts, "users": site.people.users},
    )


def _once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))


def _actions(jobs: Sequence[JobReport], findings: Sequence[Finding]) -> tuple[str, ...]:
    """What to do, the failures first: what else is due may be for another day."""
    wanted = [
        f"{one.source}: {one.text}" + (f": {one.do}" if one.do else "") for one in findings if one.severity != "note"
    ]
    failed, others = (
        [f"{job.job}: {job.headline}" for job in jobs if job.verdict == verdict]
        for verdict in (Verdict.FAILED, Verdict.ATTENTION)
    )
    return (*failed, *wanted, *others)


def report_lines(told: Report) -> tuple[Line, ...]:
    """The report at a terminal or in a log."""
    zone = ZoneInfo(told.timezone)
    took = length(told.ended - told.started)
    lines = [
        line(
            (told.verdict.value.capitalize(), _ROLES[told.verdict]),
            f"  {told.site}, {told.ended.astimezone(zone):%Y-%m-%d %H:%M %Z}, after {took}",
        )
    ]
    if told.actions:
        lines += [line(), line(("What to do", "head"))]
        lines += [line("  ", ("* ", "warn"), one_line(action)) for action in told.actions]
    # The others were seen in the plan.
    lines += [line(one_line(one.text)) for one in told.findings if one.phase == Phase.RUN]
    for job in told.jobs:
        lines += [
            line(),
            line((job.job, "name"), "  ", (job.verdict.value, _ROLES[job.verdict])),
            line(f"  {one_line(job.headline)}"),
        ]
        lines += [line(f"  {one_line(detail)}") for detail in job.details]
    if told.skips:
        lines += [line(), line(("Not done", "head"))]
        lines += [line("  ", (skip.job, "name"), f"  {one_line(skip.reason)}") for skip in told.skips]
    return tuple(lines)
