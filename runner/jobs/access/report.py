"""What came of an `access` job: who got in and who tried to, as a short table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from runner.jobs.access.alarms import DAYS, Access, Rows, alarms, read, usually
from runner.model.plan import PlannedJob
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.text import count

_HEADLINE = 3
_STANDS_OUT = 1000


def access_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """One report of who got in; attention where a person must look; None where the job is of another kind
    or did not end well.
    """
    answers = (read(one.result) for one in outcomes if one.state == State.DONE)
    found = next((one for one in answers if one is not None), None)
    if found is None:
        return None
    wrong = alarms(found)
    quiet = not any(found.table(name).total for name in ("refused", "accepted", "sudo", "sudo_refused", "su_refused"))
    more = [f"and {len(wrong) - _HEADLINE} more below"] if len(wrong) > _HEADLINE else []
    verdict = Verdict.ATTENTION if wrong else Verdict.NOTHING if quiet else Verdict.DONE
    # The headline has the first of them already.
    listed = tuple(f"look at: {one}" for one in wrong) if len(wrong) > 1 else ()
    return JobReport(
        job=job.name,
        verdict=verdict,
        headline="; ".join([*wrong[:_HEADLINE], *more]) or _headline(found),
        details=(*listed, *_details(found)),
    )


def _headline(found: Access) -> str:
    known = usually(found, "refused")
    refused, accepted = found.table("refused").total, found.table("accepted").total
    return f"{count(refused, 'attempt')} refused{f', {known}' if known else ''}; {count(accepted, 'login')}"


def _details(found: Access) -> Iterator[str]:
    yield f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC, from {found.source}"
    if found.source != "journal":
        yield "any user there can write to it, also such lines; a journal (/var/log/journal) knows who did"
    if not found.covered:
        yield "the log does not go back that far"
    if found.first:
        yield "the first report of this host: who comes from where is known from now on"
    if (known := found.usual["refused"].days if "refused" in found.usual else 0) < DAYS:
        yield f"what is usual is told when {DAYS} whole days are known: {known} so far"
    if found.history_damaged:
        yield "the history could not be understood and was put aside: it begins anew"
    yield from _accepted(found)
    yield from _refused(found)
    yield from _became(found, "sudo", "sudo")
    yield from _became(found, "su", "su")
    if found.numbers["unproven"]:
        lines = count(found.numbers["unproven"], "line")
        yield f"{lines} of sudo or su by a program that had ended: any user may have written them"
    if found.numbers["ownership"]:
        yield f"{count(found.numbers['ownership'], 'key')} not looked at, since others may write to the file"
    if found.numbers["long"]:
        yield f"{count(found.numbers['long'], 'line')} too long to be read"


def _accepted(found: Access) -> Iterator[str]:
    table = found.table("accepted")
    yield _total("logins", table.total, usually(found, "accepted"))
    for (user, source, method), times in table.rows:
        yield f"  {user} from {source} by {method}: {times:,}"
    yield from _others(table, "more")


def _refused(found: Access) -> Iterator[str]:
    yield _total("refused", found.table("refused").total, usually(found, "refused"))
    if found.methods:
        yield "  " + ", ".join(f"{name} {times:,}" for name, times in found.methods)
    users, sources = _cells(found.table("users"), "as", 16), _cells(found.table("refused"), "from", 20)
    for left, right in zip_longest(users, sources, fillvalue=""):
        yield f"  {left:<26}   {right}".rstrip()


def _cells(table: Rows, word: str, width: int) -> Iterator[str]:
    # Where names were too many to count each, only those that stand out mean anything.
    rows = [row for row in table.rows if table.exact or row[1] * _STANDS_OUT >= table.total]
    for (name,), times in rows:
        # An address is never cut: it is what is looked up, or shut out.
        shown = name if word == "from" or len(name) <= width else f"{name[: width - 3]}..."
        yield f"{word} {shown:<{width}}{f'{times:,}' if table.exact else f'>={times:,}':>7}"
    if others := table.others + len(table.rows) - len(rows):
        yield f"{word} {'' if table.exact else 'about '}{count(others, 'other')}"


def _became(found: Access, name: str, words: str) -> Iterator[str]:
    done, refused = found.table(name), found.table(f"{name}_refused")
    if not done.total and not refused.total:
        return
    yield _total(words, done.total, usually(found, name)) + (f"; {refused.total:,} refused" if refused.total else "")
    for table, mark in ((refused, "refused: "), (done, "")):
        for (by, to, what), times in table.rows:
            yield f"  {mark}{by} to {to}{f', {what}' if what != '(none)' else ''}: {times:,}"
        yield from _others(table, f"more {mark.rstrip(': ')}".rstrip())


def _others(table: Rows, words: str) -> Iterator[str]:
    if table.others:
        yield f"  and {'' if table.exact else 'about '}{table.others:,} {words}"


def _total(words: str, total: int, usual: str) -> str:
    return f"{words}: {total:,}{f' ({usual})' if usual else ''}"
