"""runner snapshots: what the stores hold."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from runner.cli.opening import opened
from runner.cli.show import show, show_json
from runner.model.errors import FactsIncomplete
from runner.model.facts import Snapshot
from runner.model.names import snapshot_time
from runner.model.text import count, length, one_line, size
from runner.report.line import Line, Table, line
from runner.tools.answers import plain

if TYPE_CHECKING:
    from runner.verbs.app import App
    from runner.verbs.browse import Holding


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which stores, which form."""
    parser.add_argument("stores", nargs="*", metavar="STORE", help="only these stores")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--unique", action="store_true", help="measure what each one has for itself alone (walks them)")
    parser.add_argument(
        "--exceptions",
        metavar="WHEN",
        nargs="?",
        const="latest",
        help="list what the snapshot of that time (default: the latest) could not hold",
    )


def run(options: argparse.Namespace) -> int:
    """List them; 3 where a store could not be read."""
    from runner.verbs import browse

    with opened(options) as app:
        found = browse.holdings(app, options.stores)
        now = app.now().astimezone(ZoneInfo(app.site.timezone))
        if options.exceptions:
            return _exceptions(app, found, options)
        alone = {one.store.name: browse.unique(app, one) for one in found if options.unique and one.sealed}
    if options.json:
        show_json(
            {
                "stores": {
                    one.store.name: {
                        "host": one.store.host,
                        "path": one.store.path,
                        "error": one.error,
                        "snapshots": [browse.as_json(snapshot) for snapshot in one.sealed],
                        "partials": [partial.name for partial in one.found.partials] if one.found else [],
                        **({"unique": _told(alone[one.store.name])} if one.store.name in alone else {}),
                    }
                    for one in found
                }
            }
        )
    else:
        for one in found:
            show(_store(one, now, alone.get(one.store.name, {})))
    return FactsIncomplete.code if any(one.error for one in found) else 0


def _store(one: Holding, now: datetime, alone: Mapping[str, tuple[int, int]]) -> list[Line | Table]:
    lines: list[Line | Table] = [line((f"store {one.store.name}", "name"), f"  {one.store.path} on {one.store.host}")]
    if one.error:
        lines.append(line("  ", (one_line(one.error), "bad")))
    if one.sealed:
        head = ("snapshot", "of", "files", "new files", "new", "exceptions", "age", "unique", "frees", "")
        rows = [_row(snapshot, now, alone.get(snapshot.name)) for snapshot in one.sealed]
        # A column that says nothing of any of them is left out.
        shown = [index for index in range(len(head)) if index < 7 or any(row[index] for row in rows)]
        cells = [tuple(row[index] for index in shown) for row in (head, *rows)]
        right = tuple(shown.index(index) for index in shown if 2 <= index <= 8)
        lines.append(Table(head=cells[0], rows=tuple(cells[1:]), right=right))
    elif not one.error:
        lines.append(line("  no snapshot yet"))
    if one.found and one.found.partials:
        lines.append(
            line("  ", (f"{count(len(one.found.partials), 'interrupted one')}, which the next run takes up", "warn"))
        )
    if one.found and one.found.space:
        space = one.found.space
        share = f"{100 * space.free / space.size:.0f} %" if space.size else "?"
        inodes = f", {100 * space.inodes_free / space.inodes:.0f} % of inodes" if space.inodes else ""
        kept = one.store.retention
        limits = f"; {kept.min} to {kept.max} are kept" if kept else ""
        lines.append(
            line(f"  {count(len(one.sealed), 'snapshot')}{limits}; free: {size(space.free)} ({share}{inodes})")
        )
    if any(snapshot.freed_bytes is not None for snapshot in one.sealed):
        lines.append(line(("  frees: what the disk gains when it and every older one expire", "dim")))
    return [*lines, line()]


def _row(snapshot: Snapshot, now: datetime, alone: tuple[int, int] | None) -> tuple[str, ...]:
    at = snapshot_time(snapshot.name)
    return (
        snapshot.name,
        snapshot.host or "?",
        _number(snapshot.files),
        _number(snapshot.added_files),
        size(snapshot.added_bytes) if snapshot.added_bytes is not None else "?",
        _number(snapshot.exceptions) if snapshot.recorded else "no record",
        length(now - at) if at else "?",
        size(alone[0]) if alone else "",
        size(snapshot.freed_bytes) if snapshot.freed_bytes is not None else "",
        _kept(snapshot, now),
    )


def _told(alone: Mapping[str, tuple[int, int]]) -> dict[str, dict[str, int]]:
    return {name: {"bytes": size_, "inodes": inodes} for name, (size_, inodes) in alone.items()}


def _kept(snapshot: Snapshot, now: datetime) -> str:
    if snapshot.being_read:
        return "being read"
    if snapshot.pinned_until and snapshot.pinned_until > now:
        # As it was said: the day is the site's, where UTC may be in the next one already.
        until = snapshot.pinned_until.astimezone(now.tzinfo)
        return f"pinned until {until:%Y-%m-%d}: {one_line(snapshot.pinned_why)}"
    return ""


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _exceptions(app: App, found: Sequence[Holding], options: argparse.Namespace) -> int:
    from runner.jobs.snapshots.when import pick
    from runner.verbs import browse

    for one in found:
        chosen = pick(one.sealed, options.exceptions, zone=app.site.timezone, now=app.now())
        if isinstance(chosen, str):
            show([line((f"store {one.store.name}", "name"), f"  {chosen}")])
            continue
        record = browse.exceptions(app, one, chosen.name)
        if options.json:
            show_json(plain(record))
            continue
        show([line((f"store {one.store.name}", "name"), f"  {chosen.name}: {count(record.exceptions, 'exception')}")])
        show([line(f"  {one_line(item.cause):12} {one_line(item.path)}") for item in record.exceptions_list])
        if (more := record.exceptions - len(record.exceptions_list)) > 0:
            show([line(f"  and {more:,} more, which the record does not name")])
    return 0
