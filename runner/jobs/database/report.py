"""What came of a `dump` job: each database with its size and rows, or what to do about the one that failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome, State, Verdict
from runner.model.text import count, length, one_line, size
from runner.report.default import default_report
from runner.tools.fields import moment, texts, whole

_SHOWN = 40
_STOPPED = (State.BUSY, State.STALE, State.INTERRUPTED)

_SHOWN_NOT_RESTORED = 10


def dumped(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """The report of a job of kind `dump`; where it failed, a snapshot that came after it says so too."""
    report = dump_report(job, outcomes) or default_report(job, outcomes, around)
    return replace(report, passes_on=(_stale(job, outcomes),)) if report.verdict == Verdict.FAILED else report


def restored(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """The report of a restore of a database, or of its coming into the place of another."""
    return restore_db_report(job, outcomes) or default_report(job, outcomes, around)


def dump_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """Report on a job of kind `dump`; None where it was stopped or could not begin."""
    if not outcomes or any(one.state in _STOPPED for one in outcomes):
        return None
    wrong = tuple(_wrong(outcomes))
    doubts = tuple(_doubts(outcomes))
    details = (*(text for text in wrong[1:]), *_dumped(outcomes), *_rest(outcomes))
    if wrong:
        headline = f"{wrong[0]}; {_stale(job, outcomes)}"
        return JobReport(job=job.name, verdict=Verdict.FAILED, headline=headline, details=(*doubts, *details))
    if doubts:
        headline, *more = doubts
        return JobReport(
            job=job.name,
            verdict=Verdict.ATTENTION,
            headline=f"{_total(outcomes)}; {headline}",
            details=(*more, *details),
        )
    return JobReport(job=job.name, verdict=Verdict.DONE, headline=_total(outcomes), details=details)


def _stale(job: PlannedJob, outcomes: Sequence[Outcome]) -> str:
    """Since when the dumps of a `dump` job that failed are old, and of which databases, in words."""
    told: Sequence[Mapping[str, Any]] = next(
        (one.result["missing"] for one in outcomes if isinstance(one.result.get("missing"), list)), []
    )
    last = {one_line(str(one["database"])): moment(one["last"]) for one in told}
    if not last:
        return f"database: {_since(job.since)}"
    return "; ".join(f"database {name}: {_since(at)}" for name, at in last.items())


def _since(at: datetime | None) -> str:
    return f"stale since {at:%Y-%m-%d %H:%M} UTC" if at else "there is no good dump of it yet"


def _wrong(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What failed, each step in its own words; that something is missing only where nothing else says why."""
    said = False
    for one in outcomes:
        if one.role == Role.ALL and said:
            continue
        error = one.result.get("error")
        if one.state == State.FAILED or error:
            said = True
            do = f" -> {one.result['do']}" if error and one.result.get("do") else ""
            text = f"{error}{do}" if error else one.note or f"ended {one.exit}"
            yield one_line(f"{one.label} failed: {text}")
        elif one.state == State.DONE and one.exit:
            said = True
            yield one_line(f"{one.label} failed: {(one.log.strip().splitlines() or ['it said nothing'])[-1]}")


def _doubts(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for one in outcomes:
        name = one_line(str(one.result.get("database", "")))
        if one.result.get("doubts"):
            found = ", ".join(str(text) for text in one.result["doubts"])
            yield f"{name} has become much smaller: {found}; none of its older dumps expires: see what happened to it"
        if one.result.get("gone") is True:
            yield f"{name} was dropped after the plan was made; its dumps are kept"


def _good(outcomes: Sequence[Outcome]) -> list[Mapping[str, Any]]:
    return [one.result for one in outcomes if isinstance(one.result.get("dump"), str)]


def _total(outcomes: Sequence[Outcome]) -> str:
    good = _good(outcomes)
    rows, written = (sum(int(one[word]) for one in good) for word in ("rows", "bytes"))
    return f"dumped {count(len(good), 'database')} with {count(rows, 'row')}, {size(written)}, and read them again"


def _dumped(outcomes: Sequence[Outcome]) -> Iterator[str]:
    good = _good(outcomes)
    for one in good[:_SHOWN]:
        said = f"; pg_dump said: {one_line(str(one['said']))}" if one.get("said") else ""
        yield (
            f"{one_line(str(one['database']))}: {size(int(one['bytes']))}, {count(int(one['rows']), 'row')} in "
            f"{count(int(one['tables']), 'table')}, in {length(float(one['took']))}{said}"
        )
    if len(good) > _SHOWN:
        yield f"and {len(good) - _SHOWN:,} more"


def _rest(outcomes: Sequence[Outcome]) -> Iterator[str]:
    if any(one.result.get("passwords") is False for one in outcomes):
        yield "the roles are kept without their passwords: only a superuser of the server may read those"
    gone = sum("expired_dump" in one.result for one in outcomes)
    if gone:
        yield f"{count(gone, 'old dump')} expired"
    spared = [one for one in outcomes if one.state == State.NOT_NEEDED and one.role == Role.EXPIRE]
    if spared:
        yield f"{count(len(spared), 'old dump')} spared: there is no new one, or a doubtful one"
    for one in outcomes:
        if one.result.get("new"):
            names = ", ".join(one_line(str(name)) for name in one.result["new"])
            yield f"new since the plan was made, dumped the next time: {names}"


def restore_db_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """Done with what it brought, attention where settings of the database did not come back; None for a job
    that did not get so far.
    """
    done = {one.role: one for one in outcomes if one.state == State.DONE}
    last = done.get(Role.NAME) or done.get(Role.SWAP)
    if last is None or any(one.state == State.FAILED for one in outcomes):
        return None
    left = texts(done[Role.RESTORE].result.get("left")) if Role.RESTORE in done else ()
    details = [f"did not come back: {one_line(one)}" for one in left[:_SHOWN_NOT_RESTORED]]
    ended = whole(last.result.get("ended"))
    details += [f"{count(ended, 'session')} ended"] if ended else []
    if Role.RESTORE in done and Role.COMPARE in done:
        took = [
            (one.ended - one.started) for one in (done[Role.RESTORE], done[Role.COMPARE]) if one.ended and one.started
        ]
        details += [f"restored in {length(took[0])}, compared in {length(took[-1])}"] if len(took) == 2 else []
    verdict = Verdict.ATTENTION if left else Verdict.DONE
    settings = f"; but {count(len(left), 'setting')} of the database did not come back" if left else ""
    return JobReport(job=job.name, verdict=verdict, headline=f"{job.headline}{settings}", details=tuple(details))
