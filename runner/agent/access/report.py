"""`access`: who got in, or tried to, in the last day; from the journal or the auth log."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Union

from .. import clock
from ..answer import Refused, reply, table
from ..arguments import parse_as
from . import history as access_history
from . import journal as access_journal
from . import logs as access_files
from .contract import AccessAnswer, AccessTable, AccessTables, LookAtAccess
from .history import History, network
from .journal import AccessJournal
from .logs import Files
from .tally import LOGIN, AccessTally, NameCounts, text

HOUR = 3600
HOURS = 24
ROWS = 10
LONGEST = 7 * 24
LARGEST = 48 << 10

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]  # noqa: UP007
_TYPED = (b"password", b"keyboard-interactive", b"challenge-response")


class ReportWindow(NamedTuple):
    """The time of the report, seconds since 1970: from `since` to before `until`; `fresh` is its part
    that no report before it had.
    """

    since: int
    until: int
    fresh: int


def run(argv: Sequence[str]) -> int:
    """Print what happened in the last `--hours` (and since the last report, a week at most) as JSON.

    `--state` is where the history is kept; without it nothing is written. Exit 75 if another report is
    being made with it.
    """
    options = parse_as(LookAtAccess, argv)
    hours = options.hours or HOURS
    if hours > LONGEST:
        raise Refused(f"--hours is more than a week ({LONGEST})", "logs are read whole: ask for less")
    rows = min(options.rows or ROWS, 100)
    until = clock.nanoseconds(options.until) // 10**9 if options.until else int(time.time())
    expected = [_network(name) for name in options.expected]
    state = Path(options.state) if options.state else None
    with access_history.locked(state) if state else contextlib.nullcontext():
        history, damaged = access_history.read(state) if state else (History(), False)
        history = access_history.believable(history, until, LONGEST * HOUR)
        window = _window(history, until, hours * HOUR)
        log, source = _choose(options.file, options.journal, window)
        tally = _tally(log, window)
        grown = access_history.grown(history, window.fresh, window.until, tally)
        answer = AccessAnswer(
            since=clock.at(window.since * 10**9),
            until=clock.at(window.until * 10**9),
            source=source,
            covered=log.covered,
            alive=log.written >= window.since,
            first=history.began is None,
            history_damaged=damaged,
            problems=tuple(log.problems[:10]),
            long=log.long,
            ownership=tally.ownership,
            pretended=log.pretended,
            unproven=log.unproven,
            unknown_users=tally.unknown,
            methods={name: times for name, times in sorted(tally.methods.items()) if times > 0},
            usual=access_history.usual(history, window.since),
            tables=AccessTables(
                new=_new(tally, grown, window.since, expected).table(rows),
                guessed=_guessed(tally).table(rows),
                **{name: counts.table(rows) for name, counts in tally.tables.items()},
            ),
        )
        if state:
            access_history.write(state, grown, damaged)
    reply(_bounded(answer, rows))
    return 0


def _tally(log: Files | AccessJournal, window: ReportWindow) -> AccessTally:
    days = access_history.midnights(window.fresh, window.until) if window.fresh < window.until else []
    tally = AccessTally(window.fresh, days or [float(window.fresh)])
    for line in log.lines():
        if window.since <= line.at < window.until:
            tally.add(line)
    tally.end()
    return tally


def _window(history: History, until: int, length: int) -> ReportWindow:
    since = fresh = until - length
    if history.until is not None:
        fresh = min(max(int(history.until), until - LONGEST * HOUR), until)
        since = min(since, fresh)
    return ReportWindow(since, until, fresh)


def _choose(files: Sequence[str], journal: bool, window: ReportWindow) -> tuple[Files | AccessJournal, str]:
    """Take what is asked for; else a journal that outlives a boot, a log that is written to, any journal."""
    if files:
        return Files(list(files), window.since), " ".join(files)
    lasting, passing = access_journal.FOLDERS
    has = shutil.which("journalctl", path="/usr/bin:/bin") is not None
    if journal or (has and access_journal.there(lasting)):
        return AccessJournal(window.since, window.until), "journal"
    logs = sorted(filter(Path.is_file, map(Path, access_files.LOGS)), key=lambda log: log.stat().st_mtime)
    fresh = bool(logs) and logs[-1].stat().st_mtime >= window.since
    if has and not fresh and access_journal.there(passing):
        return AccessJournal(window.since, window.until), "journal"
    if logs:
        return Files([str(logs[-1])], window.since), str(logs[-1])
    raise Refused(
        f"there is no journal, nor {' nor '.join(access_files.LOGS)}", "install rsyslog, or let journald keep one"
    )


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Refused(f"not an address or a network: {text!a}", "write it as 192.0.2.7 or 192.0.2.0/24") from None


def _bounded(answer: AccessAnswer, rows: int) -> AccessAnswer:
    """As many rows as there is room for: an answer of 64 KiB would not be read."""
    while rows > 1 and len(json.dumps(table(answer))) > LARGEST:
        rows //= 2
        answer = answer._replace(tables=AccessTables(*(_shortened(each, rows) for each in answer.tables)))
    return answer


def _shortened(whole: AccessTable, rows: int) -> AccessTable:
    return whole._replace(rows=whole.rows[:rows], others=whole.others + len(whole.rows[rows:]))


def _new(tally: AccessTally, known: History, since: float, expected: Sequence[Network]) -> NameCounts:
    """Sources that were not seen before `since`, with who came from there; `known` has this report in it.

    All sources of a host's first report are known from then on.
    """
    counts = NameCounts(("source", "user"), 2 * len(tally.sources) + 1)
    began = known.began or 0.0
    for source, seen in tally.sources.items():
        first = known.known.get(network(source), (seen.first, seen.last))[0]
        if first >= max(since, began) and not _expected(source, expected):
            counts.add((source, b",".join(seen.users)), seen.times)
    return counts


def _guessed(tally: AccessTally) -> NameCounts:
    """Who was let in by what can be guessed, from where the same name was refused, and how often it was."""
    counts = NameCounts(LOGIN)
    for user, source, method in tally.tables["accepted"].names():
        before = tally.pairs.of((user, source)) if method.partition(b"/")[0] in _TYPED else 0
        if before:
            counts.add((user, source, method), before)
    return counts


def _expected(source: bytes, expected: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(text(source).partition("%")[0])
    except ValueError:
        return False
    return any(address in addresses for addresses in expected)
