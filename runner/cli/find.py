"""runner find: every version of a file or folder."""

from __future__ import annotations

import argparse
from datetime import datetime
from zoneinfo import ZoneInfo

from runner.cli.opening import opened
from runner.cli.show import show, show_json
from runner.model.errors import FactsIncomplete, UsageError
from runner.model.text import one_line, size
from runner.report.line import Table, line
from runner.tools.agent import FileVersion
from runner.tools.answers import plain


def arguments(parser: argparse.ArgumentParser) -> None:
    """The path, and where to look."""
    parser.add_argument("path", metavar="PATH", help="as it is on its host, from the first /")
    parser.add_argument("--store", action="append", default=[], metavar="STORE", help="look only in this store")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """List the versions, newest last; 3 where a store could not be read, 2 where there is no version."""
    from runner.verbs import browse

    with opened(options) as app:
        zone = ZoneInfo(app.site.timezone)
        versions, unread = browse.find(app, options.path, options.store)
    code = FactsIncomplete.code if unread else 0 if versions else UsageError.code
    if options.json:
        stores = {store.name: plain(answer) for store, answer in versions}
        show_json({"path": options.path, "stores": stores, "unread": unread})
        return code
    for store, answer in versions:
        show([line((f"store {store.name}", "name"), f"  {one_line(options.path)}")])
        rows = tuple(_row(version, zone) for version in answer.versions)
        head = ("first in", "last in", "snapshots", "type", "size", "changed", "owner", "mode")
        show([Table(head=head, rows=rows, right=(2, 4))])
    if not versions:
        show([line(f"{one_line(options.path)} is in no snapshot{' that could be read' if unread else ''}")])
    show([line((f"store {name}", "name"), "  ", (one_line(why), "bad")) for name, why in unread.items()])
    return code


def _row(version: FileVersion, zone: ZoneInfo) -> tuple[str, ...]:
    changed = datetime.fromtimestamp(version.mtime_ns / 1e9, zone)
    return (
        version.first,
        version.last,
        str(version.snapshots),
        version.type,
        size(version.size),
        f"{changed:%Y-%m-%d %H:%M:%S %Z}",
        f"{version.uid}:{version.gid}",
        f"{version.mode & 0o7777:04o}",
    )
