"""Reports of a `dump` job, of a restore and of a swap: each database with its size and rows, or what failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from runner.agent.database import contract
from runner.agent.database.contract_restore import DatabasesSwapped, DumpRestored
from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome, State, Verdict
from runner.model.text import count, length, one_line, size
from runner.report.default import default_report, or_default
from runner.tools.answers import read

_SHOWN = 40
_STOPPED = (State.BUSY, State.STALE, State.INTERRUPTED)

_SHOWN_NOT_RESTORED = 10

_ANSWERS: Mapping[Role, tuple[type[tuple[Any, ...]], ...]] = {
    Role.GLOBALS: (contract.GlobalsDumped,),
    Role.DUMP: (contract.DumpMade, contract.DumpGone),
    Role.ALL: (contract.DumpsChecked,),
}


def dumped(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """The report of a job of kind `dump`; where it failed, a snapshot after it says so too."""
    report = dump_report(job, outcomes) or default_report(job, outcomes, around)
    return replace(report, passes_on=(_stale(job, outcomes),)) if report.verdict == Verdict.FAILED else report


def dump_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """Report on a job of kind `dump`; None where it was stopped or could not begin."""
    if not outcomes or any(outcome.state in _STOPPED for outcome in outcomes):
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
    checks = filter(None, (read(outcome.result, contract.DumpsChecked) for outcome in outcomes))
    missing = next((check.missing for check in checks), ())
    if not missing:
        return f"database: {_since(job.since)}"
    return "; ".join(f"database {one_line(dump.database)}: {_since(dump.last)}" for dump in missing)


def _since(at: datetime | None) -> str:
    return f"stale since {at:%Y-%m-%d %H:%M} UTC" if at else "there is no good dump of it yet"


def _wrong(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What failed, each step in its own words; that something is missing only where nothing else says why."""
    failed = False
    for outcome in outcomes:
        why = _why(outcome)
        if why and not (failed and outcome.role == Role.ALL):
            failed = True
            yield one_line(f"{outcome.label} failed: {why}")


def _why(outcome: Outcome) -> str:
    """Why a step failed; "" where it did not."""
    # The note says whose words they are.
    if outcome.state == State.FAILED:
        return outcome.note or f"ended {outcome.exit}"
    error, do = outcome.result.get("error"), outcome.result.get("do")
    if error:
        return f"{error} -> {do}" if do else str(error)
    if outcome.state != State.DONE:
        return ""
    if outcome.exit:
        return (outcome.log.strip().splitlines() or ["it said nothing"])[-1]
    contracts = _ANSWERS.get(outcome.role, ())
    fits = not contracts or any(read(outcome.result, contract) for contract in contracts)
    return "" if fits else "its answer cannot be read"


def _doubts(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        made, gone = read(outcome.result, contract.DumpMade), read(outcome.result, contract.DumpGone)
        if made and made.doubts:
            yield (
                f"{one_line(made.database)} has become much smaller: {', '.join(made.doubts)}; none of its older dumps "
                "expires: see what happened to it"
            )
        if gone and gone.gone:
            yield f"{one_line(gone.database)} was dropped after the plan was made; its dumps are kept"


def _made(outcomes: Sequence[Outcome]) -> list[contract.DumpMade]:
    return [made for outcome in outcomes if (made := read(outcome.result, contract.DumpMade))]


def _total(outcomes: Sequence[Outcome]) -> str:
    made = _made(outcomes)
    rows, written = sum(dump.rows for dump in made), sum(dump.bytes for dump in made)
    return f"dumped {count(len(made), 'database')} with {count(rows, 'row')}, {size(written)}, and read them again"


def _dumped(outcomes: Sequence[Outcome]) -> Iterator[str]:
    made = _made(outcomes)
    for dump in made[:_SHOWN]:
        complaint = f"; pg_dump said: {one_line(dump.complaint)}" if dump.complaint else ""
        yield (
            f"{one_line(dump.database)}: {size(dump.bytes)}, {count(dump.rows, 'row')} in "
            f"{count(dump.tables, 'table')}, in {length(dump.took)}{complaint}"
        )
    if len(made) > _SHOWN:
        yield f"and {len(made) - _SHOWN:,} more"


def _rest(outcomes: Sequence[Outcome]) -> Iterator[str]:
    results = [outcome.result for outcome in outcomes]
    if any(roles and not roles.passwords for roles in (read(result, contract.GlobalsDumped) for result in results)):
        yield "the roles are kept without their passwords: only a superuser of the server may read those"
    if expired := sum(read(result, contract.DumpExpired) is not None for result in results):
        yield f"{count(expired, 'old dump')} expired"
    spared = [outcome for outcome in outcomes if outcome.state == State.NOT_NEEDED and outcome.role == Role.EXPIRE_DUMP]
    if spared:
        yield f"{count(len(spared), 'old dump')} spared: there is no new one, or a doubtful one"
    for check in (read(result, contract.DumpsChecked) for result in results):
        if check and check.new:
            yield f"new since the plan was made, dumped the next time: {', '.join(map(one_line, check.new))}"


def restore_db_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """Done with what it brought, attention where settings of the database did not come back; None for a job
    that did not get so far.
    """
    done = {outcome.role: outcome for outcome in outcomes if outcome.state == State.DONE}
    last = done.get(Role.NAME) or done.get(Role.SWAP)
    if last is None or any(outcome.state == State.FAILED for outcome in outcomes):
        return None
    restored = read(done[Role.RESTORE].result, DumpRestored) if Role.RESTORE in done else None
    left = restored.left if restored else ()
    details = [f"did not come back: {one_line(setting)}" for setting in left[:_SHOWN_NOT_RESTORED]]
    unknown = Role.RESTORE in done and restored is None
    swapped = read(last.result, DatabasesSwapped)
    details += [f"{count(swapped.ended, 'session')} ended"] if swapped and swapped.ended else []
    if Role.RESTORE in done and Role.COMPARE in done:
        both = (done[Role.RESTORE], done[Role.COMPARE])
        took = [step.ended - step.started for step in both if step.ended and step.started]
        details += [f"restored in {length(took[0])}, compared in {length(took[-1])}"] if len(took) == 2 else []
    verdict = Verdict.ATTENTION if left or unknown else Verdict.DONE
    settings = f"; but {count(len(left), 'setting')} of the database did not come back" if left else ""
    settings = "; but whether the settings of the database came back is not known" if unknown else settings
    return JobReport(job=job.name, verdict=verdict, headline=f"{job.headline}{settings}", details=tuple(details))


# The report of a restore of a database, or of a swap, however far it came.
restored = or_default(restore_db_report)
