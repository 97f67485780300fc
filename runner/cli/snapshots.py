"""runner snapshots: what the stores hold."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from runner.cli.apply import carry_out
from runner.cli.opening import commands_option, opened
from runner.cli.terminal.progress import display
from runner.cli.terminal.show import show, show_json
from runner.jobs.retention.room import is_full, state
from runner.model.copies import interrupted, under_way
from runner.model.errors import FactsIncomplete, RunnerError, UsageError
from runner.model.facts import Snapshot, StoreFacts
from runner.model.names import snapshot_time
from runner.model.text import count, length, one_line, size
from runner.report.line import Line, Style, Table, line
from runner.tools.agent import SnapshotRecord
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
        help="list what could not be read for the snapshot of that time (default: the latest)",
    )
    acts = parser.add_mutually_exclusive_group()
    acts.add_argument(
        "--set-aside", metavar="NAME", nargs="+", default=[], help="take snapshots out of the count; they are kept"
    )
    acts.add_argument(
        "--bring-back", metavar="NAME", nargs="+", default=[], help="let snapshots that were set aside count again"
    )
    acts.add_argument(
        "--drop-aside", metavar="NAME", nargs="+", default=[], help="remove snapshots that were set aside, for good"
    )
    acts.add_argument("--drop-partials", action="store_true", help="drop the interrupted copies of a store")
    parser.add_argument("--out", metavar="PLAN.TOML", help="write the plan of these to a file instead of running it")
    commands_option(parser)


def run(options: argparse.Namespace) -> int:
    """List them; 3 where a store could not be read."""
    from runner.verbs import browse

    if options.set_aside or options.bring_back or options.drop_aside or options.drop_partials:
        return _act(options)
    if options.out:
        raise UsageError("--out is for a plan, and a list is none", do="leave it out")
    with opened(options) as app:
        holdings = browse.holdings(app, options.stores)
        now = app.now().astimezone(ZoneInfo(app.site.timezone))
        if options.exceptions:
            return _exceptions(app, holdings, options)
        alone = {
            holding.store.name: browse.unique(app, holding) for holding in holdings if options.unique and holding.sealed
        }
    if options.json:
        show_json(
            {
                "stores": {
                    holding.store.name: {
                        "host": holding.store.host,
                        "path": holding.store.path,
                        "error": holding.error,
                        "snapshots": [browse.as_json(snapshot) for snapshot in holding.sealed],
                        "aside": [each.name for each in holding.contents.aside] if holding.contents else [],
                        "lost": list(holding.contents.lost) if holding.contents else [],
                        "history": holding.history,
                        **_copies(holding.contents),
                        **({"unique": _gains(alone[holding.store.name])} if holding.store.name in alone else {}),
                    }
                    for holding in holdings
                }
            }
        )
    else:
        for holding in holdings:
            show(_store(holding, now, alone.get(holding.store.name, {})))
    return FactsIncomplete.code if any(holding.error for holding in holdings) else 0


def _act(options: argparse.Namespace) -> int:
    """Show the plan and run it, or write it to `--out`."""
    from runner.verbs import aside

    live = display()
    options.yes = False
    with opened(options, live) as app:
        if options.set_aside:
            plan = aside.setting(app, options.set_aside, options.stores)
        elif options.bring_back:
            plan = aside.returning(app, options.bring_back, options.stores)
        elif options.drop_aside:
            plan = aside.removing(app, options.drop_aside, options.stores)
        elif (drops := aside.dropping(app, options.stores)) is not None:
            plan = drops
        else:
            show([line("nothing to drop: no snapshot is interrupted")])
            return 0
        _, code = carry_out(app, plan, options, live, question="")
    return code


def _store(holding: Holding, now: datetime, alone: Mapping[str, tuple[int, int]]) -> list[Line | Table]:
    store, contents = holding.store, holding.contents
    lines: list[Line | Table] = [line((f"store {store.name}", "name"), f"  {store.path} on {store.host}")]
    if holding.error:
        lines.append(line("  ", (one_line(holding.error), "bad")))
    if holding.sealed:
        head = ("snapshot", "of", "files", "new files", "new", "exceptions", "age", "unique", "frees")
        rows = [_row(snapshot, now, alone.get(snapshot.name)) for snapshot in holding.sealed]
        # A column that says nothing of any of them is left out.
        shown = [index for index in range(len(head)) if index < 7 or any(row[index] for row in rows)]
        cells = [tuple(row[index] for index in shown) for row in (head, *rows)]
        right = tuple(shown.index(index) for index in shown if 2 <= index <= 8)
        lines.append(Table(head=cells[0], rows=tuple(cells[1:]), right=right, whole=(0, 1)))
        lines += [line(f"  {each.name} is {why}") for each in holding.sealed if (why := _protected(each, now))]
    elif not holding.error:
        lines.append(line("  no snapshot" if holding.gone else "  no snapshot yet"))
    if contents and (copy := under_way(contents)):
        lines.append(line("  ", (f"{copy.name} is being made", "warn")))
    usable = holding.usable
    # Of those of which the record is left it is said below, with the command for it.
    missed = "" if contents and contents.lost else holding.gone
    if usable and (amiss := state(usable, store.retention, missed)):
        lines.append(line("  ", ("; ".join(amiss), "warn")))
    lines += _beside(store.name, contents) if contents else []
    lines += [line(f"  {holding.history}")] if holding.history else []
    if usable and (space := usable.space):
        share = f"{100 * space.free / space.size:.0f} %" if space.size else "?"
        inodes = f", {100 * space.inodes_free / space.inodes:.0f} % of inodes" if space.inodes else ""
        limits = f"; {store.retention.min} to {store.retention.max} are kept" if store.retention else ""
        # None was found, and it could not be looked: how many there are is not known.
        blind = holding.error and not holding.sealed
        snapshots = "snapshots unknown" if blind else count(len(holding.sealed), "snapshot")
        lines.append(line(f"  {snapshots}{limits}; free: {size(space.free)} ({share}{inodes})"))
    if any(snapshot.freed_bytes is not None for snapshot in holding.sealed):
        lines.append(line(("  frees: what the disk gains when it and every older one expire", "dim")))
    return [*lines, line()]


def _beside(store: str, contents: StoreFacts) -> list[Line | Table]:
    """What is there and does not count, each with the command for it."""
    lines: list[Line | Table] = []
    for each in contents.aside:
        room = "" if each.room is None else f", brought {size(each.room)}"
        lines.append(line(f"  set aside: {each.name}{room}"))
        lines.append(_command("    it counts again", f"runner snapshots {store} --bring-back {each.name}"))
        drop = f"runner snapshots {store} --drop-aside {each.name} --out plan.toml"
        lines.append(_command("    it goes for good", drop))
    if contents.lost:
        lost = count(len(contents.lost), "snapshot")
        lines.append(line("  ", (f"{lost} lost: only the record is left of {_ends(contents.lost)}", "bad")))
        lines.append(_command("    not to miss it any more", f"runner snapshots {store} --set-aside lost"))
    if interrupted(contents) and not under_way(contents):
        # A full disk needs it, elsewhere the next run takes up what was sent.
        full = contents.space is not None and is_full(contents.space, contents.partials)
        what = "  what was sent can be given up" if full else "    to drop what is interrupted"
        lines.append(_command(what, f"runner snapshots {store} --drop-partials", "warn" if full else "dim"))
    return lines


def _command(what: str, command: str, style: Style = "dim") -> Line:
    """What it is for, and the command, which nothing folds."""
    return line((f"{what}: ", style), (command, "command"))


def _ends(names: Sequence[str]) -> str:
    return " to ".join(dict.fromkeys((names[0], names[-1])))


def _row(snapshot: Snapshot, now: datetime, alone: tuple[int, int] | None) -> tuple[str, ...]:
    at = snapshot_time(snapshot.name)
    new = snapshot.added_bytes if snapshot.added_room is None else snapshot.added_room
    return (
        snapshot.name,
        snapshot.host or "?",
        _number(snapshot.files),
        _number(snapshot.added_files),
        size(new) if new is not None else "?",
        _number(snapshot.exceptions) if snapshot.recorded else "no record",
        "?" if at is None else " ".join(length(now - at).split()[:2]) if at <= now else "ahead",
        size(alone[0]) if alone else "",
        size(snapshot.freed_bytes) if snapshot.freed_bytes is not None else "",
    )


def _copies(contents: StoreFacts | None) -> dict[str, Any]:
    """The copies that are not sealed: the interrupted ones, and the one that is being made."""
    copy = under_way(contents) if contents else None
    cut_off = [partial.name for partial in interrupted(contents)] if contents else []
    return {"partials": cut_off, "under_way": copy.name if copy else None}


def _gains(alone: Mapping[str, tuple[int, int]]) -> dict[str, dict[str, int]]:
    return {name: {"bytes": size_, "inodes": inodes} for name, (size_, inodes) in alone.items()}


def _protected(snapshot: Snapshot, now: datetime) -> str:
    if snapshot.being_read:
        return "being read"
    if snapshot.pinned_until and snapshot.pinned_until > now:
        # As it was said: the day is the site's, where UTC may be in the next one already.
        until = snapshot.pinned_until.astimezone(now.tzinfo)
        return f"pinned until {until:%Y-%m-%d}: {one_line(snapshot.pinned_why)}"
    return ""


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _exceptions(app: App, holdings: Sequence[Holding], options: argparse.Namespace) -> int:
    """List what could not be read for the snapshot of that time, of each store; one that cannot say hides no other."""
    records = {holding.store.name: _record(app, holding, options.exceptions) for holding in holdings}
    if options.json:
        stores = {
            name: {
                "error": record.text if isinstance(record, RunnerError) else "",
                "record": None if isinstance(record, RunnerError) else _record_json(record),
            }
            for name, record in records.items()
        }
        show_json({"stores": stores})
    else:
        show([each for name, record in records.items() for each in _record_lines(name, record)])
    failed = [record for record in records.values() if isinstance(record, RunnerError)]
    if any(isinstance(error, FactsIncomplete) for error in failed):
        return FactsIncomplete.code
    unknown = len(failed) == len(records) and any(holding.sealed for holding in holdings)
    return UsageError.code if unknown else 0


def _record(app: App, holding: Holding, when: str) -> SnapshotRecord | RunnerError:
    """The record of the snapshot of that time; what hinders it where there is none, or none that can be read."""
    from runner.jobs.snapshots.when import pick
    from runner.verbs import browse

    if holding.error:
        return FactsIncomplete(holding.error)
    chosen = pick(holding.sealed, when, zone=app.site.timezone, now=app.now())
    if isinstance(chosen, str):
        return UsageError(chosen)
    try:
        return browse.exceptions(app, holding, chosen.name)
    except RunnerError as error:
        return error if isinstance(error, FactsIncomplete) else FactsIncomplete(error.text, do=error.do)


def _record_lines(store: str, record: SnapshotRecord | RunnerError) -> list[Line]:
    if isinstance(record, RunnerError):
        lines = [line((f"store {store}", "name"), f"  {one_line(record.text)}")]
        return [*lines, line(f"  -> {one_line(record.do)}")] if record.do else lines
    lines = [line((f"store {store}", "name"), f"  {record.name}: {count(record.exceptions, 'exception')}")]
    lines += [line(f"  {one_line(item.cause):12} {one_line(item.path)}") for item in record.exceptions_list]
    more = record.exceptions - len(record.exceptions_list)
    return [*lines, line(f"  and {more:,} more, which the record does not name")] if more > 0 else lines


def _record_json(record: SnapshotRecord) -> dict[str, Any]:
    """With its times in the form that times have everywhere; one that is none stays as it was written."""
    values: dict[str, Any] = plain(record)
    return {**values, **{key: _time(values[key]) for key in ("started", "sealed", "instant")}}


def _time(written: str | None) -> datetime | str | None:
    try:
        at = datetime.fromisoformat(written or "")
        return at.astimezone(UTC) if at.tzinfo else written
    except (ValueError, OverflowError):
        return written
