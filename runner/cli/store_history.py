"""runner history STORE: the head that is known, the one of now, what changed since; and --accept."""

from __future__ import annotations

import argparse
import os
import pwd
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from runner.cli.opening import opened
from runner.cli.terminal.show import show, show_json
from runner.jobs.history import heads
from runner.jobs.history.follow import HistoryLook
from runner.model.errors import UsageError
from runner.model.text import one_line
from runner.report.line import Line, Table, line

if TYPE_CHECKING:
    from runner.model.site import Store

_MOST = 100
_ATTENTION = 3


def run(options: argparse.Namespace) -> int:
    """Show it, or take the head that was named as known; 3 where something is not as it was."""
    if not options.store:
        raise UsageError("--accept takes the head of a store, and none is named", do="runner history STORE shows it")
    if options.accept is not None:
        return _accept(options)
    with opened(options) as app:
        store, look = app.past.look_at(options.store)
        doubts = heads.findings(store, look, app.journal.heads.asked)
        clock = ZoneInfo(app.site.timezone)
    if options.json:
        known = look.before.known
        show_json(
            {
                "store": store.name,
                "known": look.before.head,
                "at": known.at if known else None,
                "run": known.run if known else "",
                "now": look.head,
                "follows": look.firm,
                "doubts": [each.text for each in doubts],
                "since": [{"at": each.time, "event": each.event, "snapshot": each.name} for each in look.changes],
            }
        )
    else:
        show(_lines(store, look, clock))
        show([line(each.text) for each in doubts])
    return 0 if look.firm else _ATTENTION


def _lines(store: Store, look: HistoryLook, clock: ZoneInfo) -> list[Line | Table]:
    known = look.before.known
    lines: list[Line | Table] = [line(f"store {store.name} at {store.host}, {store.path}")]
    if known and known.head:
        by = f" by run {known.run}" if known.run else ""
        lines.append(line(f"known  {known.head}"))
        lines.append(line(f"       {known.taken.value} at {known.at.astimezone(clock):%Y-%m-%d %H:%M}{by}"))
    else:
        lines.append(line("known  nothing yet"))
    lines += [line(f"sealed {each.head} since, not seen again yet") for each in look.before.answered[:1]]
    lines.append(line(f"now    {look.head or one_line(look.problem) or 'no history'}"))
    shown = look.changes[:_MOST]
    rows = tuple((f"{each.time[:16]}Z", each.event, each.name) for each in shown)
    if rows:
        lines.append(Table(head=("at", "event", "snapshot"), rows=rows, whole=(0, 1, 2)))
    if len(look.changes) > len(shown):
        lines.append(line(f"and {len(look.changes) - len(shown)} more lines"))
    if not look.firm and look.head:
        lines.append(line("when you know why, and have asked an old message (docs/guide.md):"))
        lines.append(line(f"runner history {store.name} --accept {look.head}"))
    return lines


def _accept(options: argparse.Namespace) -> int:
    # It writes to the journal, so that must be the real one.
    with opened(options, lambda event: None) as app:
        known = app.past.accept(options.store, options.accept, _who())
    if options.json:
        show_json({"store": options.store, "known": known.head, "at": known.at})
    else:
        show([line(f"{known.head} of store {options.store} is known from now on; the next message says so")])
    return 0


def _who() -> str:
    name = os.environ.get("SUDO_USER", "")
    try:
        mine = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        mine = f"user {os.getuid()}"
    return f"{name} as {mine}" if name and name != mine else mine
