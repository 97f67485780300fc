"""The report of an `access` job: who got in and who tried to, as a short table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from runner.agent.access.contract import AccessAnswer, AccessTable
from runner.jobs.access.alarms import DAYS, NAMELESS, alarms, read, usually
from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.text import count
from runner.report.default import tail

_HEADLINE = 3
_STANDS_OUT = 1000


def access_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """Who got in; attention where a person must look, or the answer cannot be read. None where no look ended well."""
    look = next((outcome for outcome in outcomes if outcome.role == Role.LOOK and outcome.state == State.DONE), None)
    if look is None:
        return None
    access = read(look.result)
    if access is None:
        headline = "who got in is not known: the answer of runner-agent could not be read; look at the logs of the host"
        return JobReport(job=job.name, verdict=Verdict.ATTENTION, headline=headline, details=tail(look))
    wrong = alarms(access)
    tables = access.tables
    counted = (tables.refused, tables.accepted, tables.sudo, tables.sudo_refused, tables.su_refused)
    quiet = not any(table.total for table in counted)
    more = [f"and {len(wrong) - _HEADLINE} more below"] if len(wrong) > _HEADLINE else []
    verdict = Verdict.ATTENTION if wrong else Verdict.NOTHING if quiet else Verdict.DONE
    # The headline has the first of them already.
    listed = tuple(f"look at: {alarm}" for alarm in wrong) if len(wrong) > 1 else ()
    return JobReport(
        job=job.name,
        verdict=verdict,
        headline="; ".join([*wrong[:_HEADLINE], *more]) or _headline(access),
        details=(*listed, *_details(access)),
    )


def _headline(access: AccessAnswer) -> str:
    known = usually(access, "refused")
    refused = count(access.tables.refused.total, "attempt")
    return f"{refused} refused{f', {known}' if known else ''}; {count(access.tables.accepted.total, 'login')}"


def _details(access: AccessAnswer) -> Iterator[str]:
    yield f"{access.since:%Y-%m-%d %H:%M} to {access.until:%Y-%m-%d %H:%M} UTC, from {access.source}"
    if access.source != "journal":
        yield "any user there can write such lines into it; a journal (/var/log/journal) records who wrote a line"
    if not access.covered:
        yield "the log does not go back that far"
    if access.first:
        yield "this is the first report of this host: who logs in from where is remembered from now on"
    if (known := access.usual["refused"].days if "refused" in access.usual else 0) < DAYS:
        yield f"what is usual is shown once {DAYS} whole days are known: {known} so far"
    if access.history_damaged:
        yield "the history could not be read and was put aside: a new one begins"
    yield from _accepted(access)
    yield from _refused(access)
    yield from _became("sudo", access.tables.sudo, access.tables.sudo_refused)
    yield from _became("su", access.tables.su, access.tables.su_refused)
    if access.unproven:
        lines = count(access.unproven, "line")
        yield f"{lines} of sudo or su by a program that had ended: any user may have written them"
    if access.ownership:
        yield f"{count(access.ownership, 'key')} ignored, since others can write to the file"
    if access.long:
        yield f"{count(access.long, 'line')} too long to be read"


def _accepted(access: AccessAnswer) -> Iterator[str]:
    table = access.tables.accepted
    yield _total("logins", table.total, usually(access, "accepted"))
    for row in table.rows:
        yield f"  {row.user} from {row.source} by {row.what}: {row.times:,}"
    yield from _others(table, "more")


def _refused(access: AccessAnswer) -> Iterator[str]:
    yield _total("refused", access.tables.refused.total, usually(access, "refused"))
    if access.methods:
        methods = sorted(access.methods.items(), key=lambda method: (-method[1], method[0]))
        yield "  " + ", ".join(f"{name} {times:,}" for name, times in methods)
    users, sources = _cells(access.tables.users, "as", 16), _cells(access.tables.refused, "from", 20)
    for left, right in zip_longest(users, sources, fillvalue=""):
        yield f"  {left:<26}   {right}".rstrip()


def _cells(table: AccessTable, word: str, width: int) -> Iterator[str]:
    # Where names were too many to count each, only those that stand out mean anything.
    rows = [row for row in table.rows if table.exact or row.times * _STANDS_OUT >= table.total]
    for row in rows:
        # An address is never cut: it is what is looked up, or shut out.
        name = row.source if word == "from" else row.user
        shown = name if word == "from" or len(name) <= width else f"{name[: width - 3]}..."
        yield f"{word} {shown:<{width}}{f'{row.times:,}' if table.exact else f'>={row.times:,}':>7}"
    if others := table.others + len(table.rows) - len(rows):
        yield f"{word} {'' if table.exact else 'about '}{count(others, 'other')}"


def _became(words: str, done: AccessTable, refused: AccessTable) -> Iterator[str]:
    if not done.total and not refused.total:
        return
    yield _total(words, done.total, "") + (f"; {refused.total:,} refused" if refused.total else "")
    for table, mark in ((refused, "refused: "), (done, "")):
        for row in table.rows:
            what = f", {row.what}" if row.what != NAMELESS else ""
            yield f"  {mark}{row.user} to {row.to}{what}: {row.times:,}"
        yield from _others(table, f"more {mark.rstrip(': ')}".rstrip())


def _others(table: AccessTable, words: str) -> Iterator[str]:
    if table.others:
        yield f"  and {'' if table.exact else 'about '}{table.others:,} {words}"


def _total(words: str, total: int, usual: str) -> str:
    return f"{words}: {total:,}{f' ({usual})' if usual else ''}"
