"""What became of a run: outcomes to job reports, to one report, to the lines that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from runner.jobs.access.report import access_report
from runner.jobs.database.report import dump_report, restore_db_report
from runner.jobs.drill.report import drill_report
from runner.jobs.packages.report import foretells, packages_report
from runner.jobs.power.report import power_report
from runner.model.plan import Finding, Plan, PlannedJob, Skip
from runner.model.run import JobReport, Outcome, Report, State, Verdict
from runner.model.site import Site
from runner.model.text import count, length, one_line, size
from runner.report.line import Line, Role, line

_RANK = (Verdict.NOTHING, Verdict.DONE, Verdict.ATTENTION, Verdict.FAILED)
_ROLES: dict[Verdict, Role] = {
    Verdict.NOTHING: "good",
    Verdict.DONE: "good",
    Verdict.ATTENTION: "warn",
    Verdict.FAILED: "bad",
}
_BAD = (State.FAILED, State.STALE, State.INTERRUPTED)
_SHOWN = 5
_WORDS = {
    "restore": "copied back, and compared byte for byte with the snapshot: no difference",
    "prepare": "runner-agent is in place",
}


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The most serious of them; `nothing done` where there is none."""
    return max(verdicts, key=_RANK.index, default=Verdict.NOTHING)


def job_report(
    job: PlannedJob, outcomes: Sequence[Outcome], *, live: bool, looked: bool = False
) -> JobReport:
    """One job in words, from the outcomes of its steps; `looked`: none of them changes anything."""
    for one in (
        packages_report,
        power_report,
        access_report,
        dump_report,
        drill_report,
        restore_db_report,
    ):
        if told := one(job, outcomes):
            return told
    sealed = sealing(outcomes)
    for outcome in outcomes:
        if outcome.state in _BAD or outcome.state == State.BUSY:
            stopped = _stopped(job, outcome, sealed=sealed is not None)
            went = expired(outcomes)
            return replace(stopped, details=(went, *stopped.details)) if went else stopped
    audited = next((one.result for one in outcomes if "read_bytes" in one.result), None)
    if audited is not None:
        return _audited(job, audited)
    if sealed is None:
        done = sum(one.state == State.DONE for one in outcomes)
        spared = "no snapshot had to go: there is room by now" if _spared(outcomes) else ""
        if outcomes and not done:
            words = spared or job.told or "no step was needed"
            return JobReport(job=job.name, verdict=Verdict.NOTHING, headline=words)
        words = expired(outcomes) or spared or job.told or _WORDS.get(job.kind, f"{count(done, 'step')} done")
        verdict = Verdict.NOTHING if looked else Verdict.DONE
        printed = [text for one in outcomes for text in _tail(one.log)] if looked else []
        return JobReport(job=job.name, verdict=verdict, headline=words, details=(*_links(outcomes), *printed))
    return _sealed(job, sealed, live=live, went=expired(outcomes))


def _links(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    told = next((one.result for one in outcomes if one.result.get("fits") is False), None)
    if told is None:
        return ()
    snapshots = int(told["limit"]) // max(int(told["largest_group"]), 1)
    return (
        f"{one_line(str(told['path']))} has {count(int(told['largest_group']), 'name')} in each snapshot: after "
        f"{count(snapshots, 'snapshot')} its links run out, and it is copied once more; nothing is lost by it",
    )


def _audited(job: PlannedJob, result: Mapping[str, Any]) -> JobReport:
    read = f"read {size(int(result['read_bytes']))} again"
    listed, problem = list(result.get("findings", ()))[:_SHOWN], str(result.get("problem", ""))
    found = max(int(result.get("found", 0)), len(listed))
    days = result.get("complete_in_days")
    told = [
        f"{one['kind']}: {one_line(str(one['path']))} in {', '.join(str(name) for name in one['snapshots'][:_SHOWN])}"
        for one in listed
    ]
    told += [f"and {found - len(listed):,} more"] if found > len(listed) else []
    told += [problem] if problem else []
    told += [f"so all of the store is read once in {count(int(days), 'day')}"] if days else []
    text = f"{read}: all as it was sealed"
    if found:
        text = (
            f"{read}: {count(found, 'name')} not as sealed; the disk may be failing, or somebody wrote to it"
        )
    elif problem:
        text = f"{read}, but not everything could be compared"
    verdict = Verdict.ATTENTION if found or problem else Verdict.DONE
    return JobReport(job=job.name, verdict=verdict, headline=text, details=tuple(told))


def expired(outcomes: Sequence[Outcome]) -> str:
    """Which snapshots went, and how many are left; nothing where none did."""
    gone = [one.result for one in outcomes if "expired" in one.result]
    if not gone:
        return ""
    names = " to ".join(dict.fromkeys((str(gone[0]["expired"]), str(gone[-1]["expired"]))))
    return f"expired {count(len(gone), 'snapshot')}: {names}; {gone[-1].get('sealed', '?')} are left"


def _spared(outcomes: Sequence[Outcome]) -> bool:
    expiring = [one.state for one in outcomes if one.step.rpartition("/")[2].startswith("expire-")]
    return bool(expiring) and all(state == State.NOT_NEEDED for state in expiring)


def sealing(outcomes: Sequence[Outcome]) -> Mapping[str, Any] | None:
    """What the seal answered, None where no snapshot got its name."""
    # Other answers have a number under the same word: how many snapshots there are.
    return next((one.result for one in outcomes if isinstance(one.result.get("sealed"), str)), None)


def _stopped(job: PlannedJob, outcome: Outcome, *, sealed: bool) -> JobReport:
    step = outcome.step.rpartition("/")[2]
    if sealed:
        # The snapshot is whole and counts: to call it failed would make another one at every run.
        went = "failed" if outcome.state == State.FAILED else f"was {outcome.state.value}"
        text = f"sealed {job.writes}, but then {step} {went}: {outcome.note}"
        details = _tail(outcome.log)
        return JobReport(job=job.name, verdict=Verdict.ATTENTION, headline=text, details=details)
    kept = " What was sent is kept, and the next run takes it up." if job.writes else ""
    match outcome.state:
        case State.BUSY:
            return JobReport(job=job.name, verdict=Verdict.ATTENTION, headline=f"busy: {outcome.note}")
        case State.STALE:
            return JobReport(
                job=job.name, verdict=Verdict.FAILED, headline=f"stale at {step}: {outcome.note}"
            )
        case State.INTERRUPTED:
            text = f"interrupted at {step}: {outcome.note}.{kept}"
        case _:
            text = f"{step} failed: {outcome.note}"
    return JobReport(job=job.name, verdict=Verdict.FAILED, headline=text, details=_tail(outcome.log))


def _sealed(job: PlannedJob, result: Mapping[str, Any], *, live: bool, went: str) -> JobReport:
    exceptions, fresh = int(result.get("exceptions", 0)), int(result.get("exceptions_new", 0))
    moved = int(result.get("vanished", 0)) + int(result.get("changed", 0))
    headline = (
        f"sealed {job.writes}: {count(int(result.get('files') or 0), 'file')}, "
        f"{size(int(result.get('added_bytes') or 0))} new in {count(int(result.get('added_files') or 0), 'file')}"
    )
    details = [f"to make room {went}"] if went else []
    if exceptions:
        new = f", {fresh} of them new" if fresh and fresh != exceptions else ""
        missing = "what could not be read is not in it (runner snapshots --exceptions)"
        details.append(f"{count(exceptions, 'exception')}{new}: {missing}")
    if moved:
        details.append(f"{count(moved, 'file')} changed or went while it was copied, as on any busy machine")
    verdict = Verdict.ATTENTION if fresh and live else Verdict.DONE
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=tuple(details))


def _tail(log: str) -> tuple[str, ...]:
    return tuple(one_line(text) for text in log.strip().splitlines()[-_SHOWN:])


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
        Verdict.FAILED if one.severity == "refusal" else Verdict.ATTENTION
        for one in findings
        if one.severity != "note"
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
        findings=tuple(one for one in findings if one.severity == "note" and not foretells(one.text)),
        log=told.log,
        recipients={"admin": site.people.admin, "experts": site.people.experts, "users": site.people.users},
    )


def _once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))


def _actions(jobs: Sequence[JobReport], findings: Sequence[Finding]) -> tuple[str, ...]:
    """What to do, the failures first: what else is due may be for another day."""
    wanted = [
        f"{one.source}: {one.text}" + (f": {one.do}" if one.do else "")
        for one in findings
        if one.severity != "note"
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
    lines += [line(one_line(one.text)) for one in told.findings if one.source in ("journal", "announcements")]
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
