"""What became of jobs that expire snapshots, and of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.agent.retention.contract.aside import BroughtBack, PutAside
from runner.agent.retention.contract.audit import Audited
from runner.agent.retention.contract.expire import Expired
from runner.agent.store.contract.newest import Counts
from runner.agent.store.contract.partials import PartialsDropped
from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome, State, Verdict
from runner.model.text import count, one_line, size
from runner.report.default import default_report, stopped, tail
from runner.report.todo import named
from runner.tools.answers import read

WELL = (Verdict.NOTHING, Verdict.DONE)
_SHOWN = 5


def prune_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """What went, also where the job then stopped: no snapshot goes without a word."""
    went = expired(outcomes)
    report = default_report(job, outcomes, around, went or spared(outcomes) or _kept(outcomes))
    if went and stopped(job, outcomes):
        report = replace(report, details=(went, *report.details))
    return with_earlier(counted(report, outcomes), around)


def _kept(outcomes: Sequence[Outcome]) -> str:
    """How many there are, as they were counted when nothing was to expire: what was planned may be out of date."""
    if any(outcome.role == Role.EXPIRE for outcome in outcomes):
        return ""
    counts = (read(outcome.result, Counts) for outcome in outcomes if outcome.role == Role.COUNT)
    known = next(filter(None, counts), None)
    return f"nothing to expire: {count(known.sealed, 'snapshot')}" if known and known.sealed else ""


def counted(report: JobReport, outcomes: Sequence[Outcome]) -> JobReport:
    """The report, and no good news where the store was to be counted and the answer cannot be read."""
    counts = (outcome for outcome in outcomes if outcome.role == Role.COUNT and outcome.state == State.DONE)
    if report.verdict not in WELL or all(read(count.result, Counts) for count in counts):
        return report
    text = f"how many snapshots there are is not known: the answer cannot be read; {report.headline}"
    return replace(report, verdict=Verdict.ATTENTION, headline=text)


def answered(report: JobReport, outcomes: Sequence[Outcome], contracts: Mapping[Role, type[Any]]) -> JobReport:
    """The report, and no good news where a step of such a role ended well with an answer that cannot be read."""
    unread = [
        outcome.label
        for outcome in outcomes
        if outcome.state == State.DONE
        and outcome.role in contracts
        and not read(outcome.result, contracts[outcome.role])
    ]
    if report.verdict not in WELL or not unread:
        return report
    text = f"what {' and '.join(unread)} did is not known: the answer cannot be read; {report.headline}"
    return replace(report, verdict=Verdict.ATTENTION, headline=text)


def with_earlier(report: JobReport, around: Around) -> JobReport:
    """The report with what went in earlier passes."""
    went = expired(around.earlier)
    return replace(report, details=(f"in a pass before {went}", *report.details)) if went else report


def expired(outcomes: Sequence[Outcome]) -> str:
    """Which snapshots went, and how many are left; nothing where none did."""
    gone = [outcome for outcome in outcomes if outcome.role == Role.EXPIRE and outcome.state == State.DONE]
    if not gone:
        return ""
    answers = [read(outcome.result, Expired) for outcome in gone]
    names = [answer.expired if answer else outcome.subject for outcome, answer in zip(gone, answers, strict=True)]
    left = f"{answers[-1].sealed} are left" if answers[-1] else "how many are left is not known"
    return f"expired {count(len(gone), 'snapshot')}: {' to '.join(dict.fromkeys((names[0], names[-1])))}; {left}"


def spared(outcomes: Sequence[Outcome]) -> str:
    """That none had to go of those that might have; "" where there were none, or some went."""
    expiring = [outcome.state for outcome in outcomes if outcome.role == Role.EXPIRE]
    none = bool(expiring) and all(state == State.NOT_NEEDED for state in expiring)
    return "no snapshot had to go" if none else ""


def aside_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """Which snapshots count no more, or again, and how many do; what was proven only of one that counts no more."""
    report = default_report(job, outcomes, around)
    done = [outcome for outcome in outcomes if outcome.state == State.DONE]
    moved = [outcome for outcome in done if outcome.role == Role.ASIDE]
    back = [outcome for outcome in done if outcome.role == Role.BACK_AGAIN]
    if not moved and not back:
        return report
    text, details = _moved(moved) if moved else (_returned(back), ())
    if stopped(job, outcomes):
        return replace(report, details=(text, *details, *report.details))
    return replace(report, headline=text, details=details)


def _moved(moved: Sequence[Outcome]) -> tuple[str, tuple[str, ...]]:
    """What counts no more, and what a person can do or has to know about that."""
    answers = [read(outcome.result, PutAside) for outcome in moved]
    last = answers[-1]
    left = f"{last.sealed} {'is' if last.sealed == 1 else 'are'} left" if last else "how many are left is not known"
    details = [
        f"the last drill that succeeded ({', '.join(answer.unproven)}) was of {answer.aside}: run the drill again"
        for answer in answers
        if answer and answer.unproven
    ]
    return f"{_do(moved, 'counts', 'count')} no more, and {left}", tuple(details)


def _returned(back: Sequence[Outcome]) -> str:
    last = read(back[-1].result, BroughtBack)
    now = f"there {'is' if last.sealed == 1 else 'are'} {count(last.sealed, 'snapshot')} now" if last else ""
    return f"{_do(back, 'counts', 'count')} again: {now or 'how many there are now is not known'}"


def _do(outcomes: Sequence[Outcome], singular: str, plural: str) -> str:
    """What these do: `A counts`, `A and B count`."""
    return f"{named([outcome.subject for outcome in outcomes])} {singular if len(outcomes) == 1 else plural}"


def drop_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """Which snapshots are gone for good, or how many interrupted ones, also where the job then stopped."""
    done = [outcome for outcome in outcomes if outcome.state == State.DONE]
    dropped = [outcome for outcome in done if outcome.role == Role.DROP]
    answers = (read(outcome.result, PartialsDropped) for outcome in done if outcome.role == Role.DROP_PARTIALS)
    answer, end = next(answers, None), stopped(job, outcomes)
    text, left = "", ""
    if dropped and end:
        text = f"{_do(dropped, 'lies', 'lie')} in the trash, which the next run empties"
    elif dropped:
        text = f"{_do(dropped, 'is', 'are')} removed for good"
    elif answer:
        text, left = _interrupted(job, answer)
    report = default_report(job, outcomes, around, text)
    if answer and not answer.dropped and not end:
        report = replace(report, verdict=Verdict.NOTHING)
    details = (*filter(None, (text if end else "", left)), *report.details)
    return answered(replace(report, details=details), outcomes, {Role.DROP_PARTIALS: PartialsDropped})


def _interrupted(job: PlannedJob, answer: PartialsDropped) -> tuple[str, str]:
    """How many interrupted ones went, and what is left there, which was not in the plan."""
    gone = answer.dropped
    was = "was" if len(gone) == 1 else "were"
    text = f"{count(len(gone), 'interrupted snapshot')} of store {job.about} {was} dropped"
    left = f"left there, since the plan did not have it: {named(answer.left)}" if answer.left else ""
    return text if gone else f"nothing was dropped: store {job.about} had none of them any more", left


def audit_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """How much was read again, and what of it is not as it was sealed."""
    audit = next((outcome for outcome in outcomes if outcome.role == Role.AUDIT), None)
    if audit is None or stopped(job, outcomes):
        return default_report(job, outcomes, around)
    audited = read(audit.result, Audited)
    if audited is None:
        text = "the audit ended, but its answer cannot be read: what it found is not known"
        return JobReport(job=job.name, verdict=Verdict.ATTENTION, headline=text, details=tail(audit))
    return _audited(job, audited)


def _audited(job: PlannedJob, audited: Audited) -> JobReport:
    amount = f"read {size(audited.read_bytes)} again"
    listed, total, problem = audited.findings[:_SHOWN], max(audited.total, len(audited.findings)), audited.problem
    details = [
        f"{one_line(damage.kind)}: {one_line(damage.path)} in {', '.join(map(one_line, damage.snapshots[:_SHOWN]))}"
        for damage in listed
    ]
    details += [f"and {total - len(listed):,} more"] if total > len(listed) else []
    if audited.noted:
        names = count(audited.noted, "name")
        details.append(f"the next snapshot compares {names} with the host: what is still there is right in it")
    details += [one_line(problem)] if problem else []
    lost = _lost(audited)
    if lost:
        details.append("find out who removed or changed .runner/records: what is sent from now on has checksums")
    if audited.never_summed:
        details.append(f"{count(audited.never_summed, 'file')} came without a checksum, and cannot be audited")
    if audited.complete_in_days:
        what = "what has a checksum" if lost or audited.never_summed else "all of the store"
        details.append(f"so {what} is read once in {count(audited.complete_in_days, 'day')}")
    text = f"{amount}: all as it was sealed"
    if total:
        text = f"{amount}: {count(total, 'name')} not as sealed; the disk may be failing, or somebody wrote to it"
    elif problem:
        text = f"{amount}, but not everything could be compared"
    elif lost:
        text = f"{amount}: what could be compared is as it was sealed"
    text = f"{lost}; {text}" if lost else text
    verdict = Verdict.ATTENTION if total or problem or lost else Verdict.DONE
    return JobReport(job=job.name, verdict=verdict, headline=text, details=tuple(details))


def _lost(audited: Audited) -> str:
    """What has no checksum any more, with its numbers: whether it rots nobody can see."""
    if not audited.lost_snapshots:
        return ""
    files = f"{count(audited.lost_files, 'file')} ({size(audited.lost_bytes)})"
    snapshots = count(audited.lost_snapshots, "snapshot")
    return f"the checksums of {files} in {snapshots} are gone: nobody sees it if they rot"
