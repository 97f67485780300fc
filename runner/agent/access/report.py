"""`access`: who got in, or tried to, in the last day; from the journal or the auth log."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import clock
from ..answer import Refused, emit
from ..arguments import number, parse
from . import history as access_history
from . import journal as access_journal
from . import logs as access_files
from .access_told import Network, told
from .history import History
from .journal import Journal
from .logs import Files
from .tally import Tally

HOUR = 3600
LONGEST = 7 * 24
LARGEST = 48 << 10


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
    call = parse(
        argv, words=0, one=("hours", "rows", "state", "until"), many=("file", "expected"), flags=("journal",)
    )
    hours = number(call.one["hours"] or "24", "--hours", least=1)
    if hours > LONGEST:
        raise Refused(f"--hours is more than a week ({LONGEST})", "logs are read whole: ask for less")
    rows = min(number(call.one["rows"] or "10", "--rows", least=1), 100)
    until = clock.nanoseconds(call.one["until"]) // 10**9 if call.one["until"] else int(time.time())
    expected = [_network(one) for one in call.many["expected"]]
    state = Path(call.one["state"]) if call.one["state"] else None
    with access_history.locked(state) if state else contextlib.nullcontext():
        history, damaged = access_history.read(state) if state else (History(), False)
        history = access_history.believable(history, until, LONGEST * HOUR)
        window = _window(history, until, hours * HOUR)
        log, source = _choose(call.many["file"], "journal" in call.flags, window)
        days = access_history.midnights(window.fresh, window.until) if window.fresh < window.until else []
        tally = Tally(window.fresh, days or [float(window.fresh)])
        for line in log.lines():
            if window.since <= line.at < window.until:
                tally.add(line)
        tally.end()
        if isinstance(log, Journal):
            tally.pretended, tally.unproven = log.pretended, log.unproven
        answer = {
            "access": True, "since": clock.text(window.since * 10**9), "until": clock.text(window.until * 10**9),
            "source": source, "covered": log.covered, "alive": log.written >= window.since, "long": log.long,
            "problems": log.problems[:10], "history_damaged": damaged, "first": history.began is None,
            "usual": access_history.usual(history, window.since),
        }  # fmt: skip
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
        f"there is no journal, nor {' nor '.join(access_files.LOGS)}",
        "install rsyslog, or let journald keep one",
    )


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Refused(
            f"not an address or a network: {text!a}", "write it as 192.0.2.7 or 192.0.2.0/24"
        ) from None


def _bounded(
    tally: Tally, grown: History, wanted: tuple[float, Sequence[Network]], rows: int
) -> dict[str, Any]:
    """As many rows as there is room for: an answer of 64 KiB would not be read."""
    while True:
        answer = told(tally, grown, wanted, rows)
        if rows == 1 or len(json.dumps(answer)) <= LARGEST:
            return answer
        rows //= 2
