"""`access`: who got in, or tried to, in the last day; from the journal or the auth log."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union

from .. import clock
from ..answer import Refused, emit
from ..arguments import parse_as
from . import history as access_history
from . import journal as access_journal
from . import logs as access_files
from .contract import LookAtAccess
from .history import History, network
from .journal import Journal
from .logs import Files
from .tally import Table, Tally, text

HOUR = 3600
HOURS = 24
ROWS = 10
LONGEST = 7 * 24
LARGEST = 48 << 10

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]  # noqa: UP007
_TYPED = (b"password", b"keyboard-interactive", b"challenge-response")


class Window(NamedTuple):
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
    expected = [_network(one) for one in options.expected]
    state = Path(options.state) if options.state else None
    with access_history.locked(state) if state else contextlib.nullcontext():
        history, damaged = access_history.read(state) if state else (History(), False)
        history = access_history.believable(history, until, LONGEST * HOUR)
        window = _window(history, until, hours * HOUR)
        log, source = _choose(options.file, options.journal, window)
        days = access_history.midnights(window.fresh, window.until) if window.fresh < window.until else []
        tally = Tally(window.fresh, days or [float(window.fresh)])
        for line in log.lines():
            if window.since <= line.at < window.until:
                tally.add(line)
        tally.end()
        if isinstance(log, Journal):
            tally.pretended, tally.unproven = log.pretended, log.unproven
        answer = {
            "access": True,
            "since": clock.text(window.since * 10**9),
            "until": clock.text(window.until * 10**9),
            "source": source,
            "covered": log.covered,
            "alive": log.written >= window.since,
            "long": log.long,
            "problems": log.problems[:10],
            "history_damaged": damaged,
            "first": history.began is None,
            "usual": access_history.usual(history, window.since),
        }
        grown = access_history.grown(history, (window.fresh, window.until), tally.by_day, tally.sources)
        answer.update(_bounded(tally, grown, (window.since, expected), rows))
        if state:
            access_history.write(state, grown, damaged)
    emit(answer)
    return 0


def _window(history: History, until: int, length: int) -> Window:
    since = fresh = until - length
    if history.until is not None:
        fresh = min(max(int(history.until), until - LONGEST * HOUR), until)
        since = min(since, fresh)
    return Window(since, until, fresh)


def _choose(files: Sequence[str], journal: bool, window: Window) -> tuple[Files | Journal, str]:
    """Take what is asked for; else a journal that outlives a boot, a log that is written to, any journal."""
    if files:
        return Files(list(files), window.since), " ".join(files)
    lasting, passing = access_journal.FOLDERS
    has = shutil.which("journalctl", path="/usr/bin:/bin") is not None
    if journal or (has and access_journal.there(lasting)):
        return Journal(window.since, window.until), "journal"
    logs = [one for one in access_files.LOGS if Path(one).is_file()]
    logs.sort(key=lambda one: Path(one).stat().st_mtime)
    fresh = bool(logs) and Path(logs[-1]).stat().st_mtime >= window.since
    if has and not fresh and access_journal.there(passing):
        return Journal(window.since, window.until), "journal"
    if logs:
        return Files(logs[-1:], window.since), logs[-1]
    raise Refused(
        f"there is no journal, nor {' nor '.join(access_files.LOGS)}", "install rsyslog, or let journald keep one"
    )


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Refused(f"not an address or a network: {text!a}", "write it as 192.0.2.7 or 192.0.2.0/24") from None


def _bounded(tally: Tally, grown: History, wanted: tuple[float, Sequence[Network]], rows: int) -> dict[str, Any]:
    """As many rows as there is room for: an answer of 64 KiB would not be read."""
    while True:
        answer = told(tally, grown, wanted, rows)
        if rows == 1 or len(json.dumps(answer)) <= LARGEST:
            return answer
        rows //= 2


def told(tally: Tally, known: History, wanted: tuple[float, Sequence[Network]], rows: int) -> dict[str, Any]:
    """The tables with `rows` rows each; `wanted` is since when, and the sources that are expected.

    `known` is the history with this report in it. A source is new if it was not seen before `since`; all of
    the first report are known from then on.
    """
    since, expected = wanted
    return {
        "lines": tally.lines,
        "accepted": tally.accepted.told(rows),
        "refused": {
            **tally.refused.told(rows),
            "methods": {name: times for name, times in sorted(tally.methods.items()) if times > 0},
            "unknown_users": tally.unknown,
        },
        "users": tally.users.told(rows),
        "new": _new(tally, known, since, expected).told(rows),
        "guessed": _guessed(tally).told(rows),
        "sudo": tally.sudo.told(rows),
        "sudo_refused": tally.sudo_refused.told(rows),
        "su": tally.su.told(rows),
        "su_refused": tally.su_refused.told(rows),
        **{name: table.told(rows) for name, table in tally.signs.items()},
        "ownership": tally.ownership,
        "pretended": tally.pretended,
        "unproven": tally.unproven,
    }


def _new(tally: Tally, known: History, since: float, expected: Sequence[Network]) -> Table:
    """Sources never seen before, with who came from there and how often; rows are [source, users, times]."""
    found = Table(2 * len(tally.sources) + 1)
    began = known.began or 0.0
    for source, seen in tally.sources.items():
        first = known.known.get(network(source), (seen.first, seen.last))[0]
        if first >= max(since, began) and not _expected(source, expected):
            found.add((source, b",".join(seen.users)), seen.times)
    return found


def _guessed(tally: Tally) -> Table:
    """Who was let in by what can be guessed, from where the same name was refused, and how often it was."""
    found = Table(1000)
    for user, source, method in tally.accepted.names():
        before = tally.pairs.of((user, source)) if method.partition(b"/")[0] in _TYPED else 0
        if before:
            found.add((user, source, method), before)
    return found


def _expected(source: bytes, expected: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(text(source).partition("%")[0])
    except ValueError:
        return False
    return any(address in one for one in expected)
