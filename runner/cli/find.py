"""runner find: every version of a file or folder, or the names that match a pattern."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from runner.cli.opening import opened
from runner.cli.terminal.show import show, show_json
from runner.jobs.snapshots.when import WHEN_HELP
from runner.model.errors import FactsIncomplete, UsageError
from runner.model.text import count, one_line, size
from runner.report.line import Line, Table, line
from runner.tools.agent import FileVersion, Versions
from runner.tools.answers import plain

if TYPE_CHECKING:
    from runner.model.site import Store
    from runner.verbs.browse import Matches

_WILD = frozenset("*?[")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The path or the pattern, and where to look."""
    parser.add_argument(
        "path", metavar="PATH", help="as it is on its host, from the first /; or a name or pattern, such as '*.txt'"
    )
    parser.add_argument("--store", action="append", default=[], metavar="STORE", help="look only in this store")
    parser.add_argument(
        "--at", default="latest", metavar="WHEN", help=f"for a name or pattern, the snapshot to look in: {WHEN_HELP}"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """List the versions, newest last; 3 where a store could not be read, 2 where there is no version."""
    from runner.verbs import browse

    names: list[browse.Matches] = []
    versions: list[tuple[Store, Versions]] = []
    unread: dict[str, str] = {}
    if not options.path.strip():
        raise UsageError(f"'{options.path}' names no file", do="give a path from the first /, or a name: '*.conf'")
    with opened(options) as app:
        zone = ZoneInfo(app.site.timezone)
        if options.path.startswith("/"):
            versions, unread = browse.find(app, options.path, options.store)
        # A name may have a bracket in it: what is there by its name is no pattern.
        searched = not versions and (not options.path.startswith("/") or bool(_WILD & set(options.path)))
        if searched:
            names, unread = browse.search(app, _whole(options.path), options.store, options.at)
    there = bool(versions) or any(each.answer.total for each in names)
    code = FactsIncomplete.code if unread else 0 if there else UsageError.code
    if options.json:
        show_json(_names_json(options.path, names, unread) if searched else _json(options.path, versions, unread))
        return code
    for store, answer in versions:
        show([line((f"store {store.name}", "name"), f"  {one_line(options.path)}")])
        rows = tuple(_row(version, zone) for version in answer.versions)
        head = ("first in", "last in", "snapshots", "type", "size", "changed", "owner", "mode")
        show([Table(head=head, rows=rows, right=(2, 4))])
    show([part for each in names if each.answer.total for part in _matches(each, options.path, zone)])
    if not there:
        show([line(_nothing(options.path, names, unread=bool(unread)))])
    show([line((f"store {name}", "name"), "  ", (one_line(why), "bad")) for name, why in unread.items()])
    return code


def _whole(pattern: str) -> str:
    """The pattern for whole paths where it is for more than a name: `etc/*.conf` may be anywhere."""
    return pattern if pattern.startswith("/") or "/" not in pattern else f"*/{pattern}"


def _nothing(path: str, names: Sequence[Matches], *, unread: bool) -> str:
    if names:
        places = ", ".join(f"{each.store.name}/{each.snapshot}" for each in names)
        return f"{one_line(path)} matches no name in {places}; --at looks in an older snapshot"
    return f"{one_line(path)} is in no snapshot{' that could be read' if unread else ''}"


def _matches(names: Matches, pattern: str, zone: ZoneInfo) -> list[Line | Table]:
    rows = tuple(
        (each.type, size(each.size), _local(each.mtime_ns, zone), one_line(each.path)) for each in names.answer.names
    )
    lines: list[Line | Table] = [
        line(
            (f"store {names.store.name}", "name"),
            f"  {count(names.answer.total, 'name')} in {names.snapshot} for {one_line(pattern)}",
        ),
        Table(head=("type", "size", "changed", "path"), rows=rows, right=(1,)),
    ]
    if (more := names.answer.total - len(rows)) > 0:
        lines.append(line(f"  and {more:,} more: a longer pattern finds fewer"))
    return [*lines, line(("  every version of one of them: ", "dim"), ("runner find PATH", "command"))]


def _names_json(pattern: str, names: Sequence[Matches], unread: dict[str, str]) -> dict[str, Any]:
    stores = {}
    for each in names:
        values: dict[str, Any] = plain(each.answer)
        dated = [_dated(name) for name in values["names"]]
        stores[each.store.name] = {"snapshot": each.snapshot, **values, "names": dated}
    return {"pattern": pattern, "stores": stores, "unread": unread}


def _json(path: str, versions: Sequence[tuple[Store, Versions]], unread: dict[str, str]) -> dict[str, Any]:
    stores = {}
    for store, answer in versions:
        values: dict[str, Any] = plain(answer)
        stores[store.name] = {**values, "versions": [_dated(version) for version in values["versions"]]}
    return {"path": path, "stores": stores, "unread": unread}


def _dated(values: dict[str, Any]) -> dict[str, Any]:
    """With when it was changed, in the form that times have everywhere."""
    return {**values, "changed": _changed(values["mtime_ns"])}


def _changed(mtime_ns: int) -> datetime | None:
    """None where a filesystem says what no calendar has."""
    try:
        return datetime.fromtimestamp(mtime_ns / 1e9, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _local(mtime_ns: int, zone: ZoneInfo) -> str:
    changed = _changed(mtime_ns)
    try:
        return f"{changed.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}" if changed else "?"
    except OverflowError:
        return "?"


def _row(version: FileVersion, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        version.first,
        version.last,
        str(version.snapshots),
        version.type,
        size(version.size),
        _local(version.mtime_ns, zone),
        f"{version.uid}:{version.gid}",
        f"{version.mode & 0o7777:04o}",
    )
