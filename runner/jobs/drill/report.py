"""What became of a drill: what came back as it was sealed, or the first that did not, and how many more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.text import count, one_line
from runner.report.default import STOPPED

_SHOWN = 5


def drill_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """The report of a drill, with its numbers; None where it was not begun.

    Failed where anything that was tried did not come back whole, and where it could not be tried.
    """
    if not outcomes or any(one.state == State.BUSY for one in outcomes):
        return None
    known = {one.role: one for one in outcomes}
    bad = [one for one in outcomes if one.state in STOPPED]
    failed = [one for one in bad if one.role != Role.CLEAR]
    said = [text for text in (_files(known.get(Role.COMPARE)), _database(known.get(Role.RESTORE))) if text]
    again = (f"the same sample again: {job.headline}",) if job.headline else ()
    if failed:
        first, *others = failed
        details = [*(text for one in failed for text in _wrong(one)), *said, *again]
        headline = _first(first, others)
        return JobReport(job=job.name, verdict=Verdict.FAILED, headline=headline, details=tuple(details))
    notes = (*_unchecked(known.get(Role.COMPARE)), *again)
    if bad:
        text = f"{'; '.join(said)}; but what was restored is still there: {one_line(bad[0].note)}"
        return JobReport(job=job.name, verdict=Verdict.ATTENTION, headline=text, details=notes)
    return JobReport(job=job.name, verdict=Verdict.DONE, headline="; ".join(said) or job.headline, details=notes)


def _files(outcome: Outcome | None) -> str:
    if outcome is None or outcome.state != State.DONE:
        return ""
    told = outcome.result
    canaries = f" and {count(_number(told, 'canaries'), 'canary', 'canaries')}" if told.get("canaries") else ""
    return (
        f"{count(_number(told, 'files'), 'file')}{canaries} of {count(_number(told, 'snapshots'), 'snapshot')} "
        "came back as sealed"
    )


def _database(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return "; ".join(
        f"database {one_line(str(each['database']))}: {count(int(each['tables']), 'table')}, "
        f"{count(int(each['rows']), 'row')} (dump of {one_line(str(each['at']))[:16]})"
        for each in outcome.result.get("databases", ())
    )


def _first(outcome: Outcome, others: Sequence[Outcome]) -> str:
    name = outcome.label
    stopped = {State.STALE: "is stale", State.INTERRUPTED: "was interrupted"}.get(outcome.state)
    wrong = [one_line(str(one.result.get("error", ""))) for one in others if one.result.get("wrong")]
    rest = len(others) - len(wrong)
    more = "".join(f"; and {text}" for text in wrong)
    more += f"; and {count(rest, 'step')} more failed" if rest else ""
    if stopped:
        return f"{name} {stopped}: {one_line(outcome.note)}{more}"
    if outcome.result.get("wrong"):
        error = one_line(str(outcome.result.get("error", "")))
        return f"what came back is not what it was: {error}{more}"
    return f"{name} failed: {one_line(outcome.note)}{more}"


def _wrong(outcome: Outcome) -> list[str]:
    listed = list(outcome.result.get("wrong", ()))
    found = max(int(outcome.result.get("found", 0)), len(listed))
    told = [_line(each) for each in listed[:_SHOWN]]
    return [*told, *([f"and {found - _SHOWN:,} more"] if found > _SHOWN else [])]


def _line(each: Mapping[str, Any]) -> str:
    if "database" in each:
        name = f"database {each['database']}: " if each["database"] else ""
        return one_line(f"{name}{each['what']}")
    where = f" of {each['snapshot']}" if each.get("snapshot") else ""
    return one_line(f"{each['path']}{where}: {each['what']}")


def _unchecked(outcome: Outcome | None) -> tuple[str, ...]:
    if outcome is None:
        return ()
    told = outcome.result
    # Who is not root gets no owners back, and compares no attributes.
    attributes = _number(told, "attributes")
    compared = (
        f"compared with what was recorded when sealed: content of {_number(told, 'recorded'):,}"
        f"{f', attributes of {attributes:,}' if attributes else ''}; with the source: {_number(told, 'source'):,}"
    )
    left = _number(told, "unchecked")
    missing = f"{count(left, 'file')} with a checksum that no program at the store can check; install xxhash"
    return (compared, missing) if left else (compared,)


def _number(told: Mapping[str, Any], key: str) -> int:
    found = told.get(key)
    return found if isinstance(found, int) else 0
