"""What became of jobs that expire snapshots, and of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome, State, Verdict
from runner.model.text import count, one_line, size
from runner.report.default import default_report, stopped

_SHOWN = 5


def prune_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """What went, also where the job then stopped: no snapshot goes without a word."""
    went = expired(outcomes)
    report = default_report(job, outcomes, around, went or spared(outcomes))
    if went and stopped(job, outcomes):
        report = replace(report, details=(went, *report.details))
    return with_earlier(report, around)


def pin_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """That the snapshot is kept, or goes the way of the others again."""
    return default_report(job, outcomes, around)


def with_earlier(report: JobReport, around: Around) -> JobReport:
    """The report with what went in earlier passes."""
    went = expired(around.earlier)
    return replace(report, details=(f"in a pass before {went}", *report.details)) if went else report


def expired(outcomes: Sequence[Outcome]) -> str:
    """Which snapshots went, and how many are left; nothing where none did."""
    gone = [one.result for one in outcomes if "expired" in one.result]
    if not gone:
        return ""
    names = " to ".join(dict.fromkeys((str(gone[0]["expired"]), str(gone[-1]["expired"]))))
    return f"expired {count(len(gone), 'snapshot')}: {names}; {gone[-1].get('sealed', '?')} are left"


def spared(outcomes: Sequence[Outcome]) -> str:
    """That none had to go of those that might have; "" where there were none, or some went."""
    expiring = [one.state for one in outcomes if one.role == Role.EXPIRE]
    none = bool(expiring) and all(state == State.NOT_NEEDED for state in expiring)
    return "no snapshot had to go: there is room by now" if none else ""


def audit_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """How much was read again, and what of it is not as it was sealed."""
    audited = next((one.result for one in outcomes if "read_bytes" in one.result), None)
    if audited is None or stopped(job, outcomes):
        return default_report(job, outcomes, around)
    return _audited(job, audited)


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
        text = f"{read}: {count(found, 'name')} not as sealed; the disk may be failing, or somebody wrote to it"
    elif problem:
        text = f"{read}, but not everything could be compared"
    verdict = Verdict.ATTENTION if found or problem else Verdict.DONE
    return JobReport(job=job.name, verdict=verdict, headline=text, details=tuple(told))
