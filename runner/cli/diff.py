"""runner diff: what differs between two snapshots."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from runner.cli.opening import opened
from runner.cli.terminal.show import show, show_json
from runner.jobs.snapshots.when import WHEN_HELP
from runner.model.text import count, one_line, size
from runner.report.line import Line, Style, line
from runner.tools.agent import SnapshotDifference
from runner.tools.answers import plain

_MARKS: dict[str, tuple[str, Style]] = {
    "added": ("+", "good"),
    "removed": ("-", "bad"),
    "content": ("M", "warn"),
    "attributes": ("a", "dim"),
    "type": ("T", "warn"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The two, and below where."""
    parser.add_argument("older", metavar="A", nargs="?", default="previous", help=f"{WHEN_HELP} (default: previous)")
    parser.add_argument("newer", metavar="B", nargs="?", default="latest", help="likewise (default: latest)")
    parser.add_argument("--store", default="", metavar="STORE", help="the store that has them")
    parser.add_argument("--path", default="/", metavar="PATH", help="only below this path (default: /)")
    parser.add_argument("--json", action="store_true", help="print JSON, one line for each difference")


def run(options: argparse.Namespace) -> int:
    """Print + added, - removed, M content, a attributes, T type."""
    from runner.verbs import browse

    def heard(change: SnapshotDifference | Mapping[str, int]) -> None:
        if options.json:
            show_json({"counts": change} if isinstance(change, Mapping) else plain(change))
        else:
            show([_line(change)])

    with opened(options) as app:
        snapshots = browse.pair(app, (options.older, options.newer), options.store, options.path)
        if not options.json:
            show(
                [
                    line(
                        (f"{snapshots.older.name} -> {snapshots.newer.name}", "head"),
                        f"  store {snapshots.holding.store.name}",
                    )
                ]
            )
        browse.diff(app, snapshots, heard)
    return 0


def _line(change: SnapshotDifference | Mapping[str, int]) -> Line:
    if isinstance(change, Mapping):
        numbers = [f"{amount:,} {one_line(word)}" for word, amount in change.items() if amount]
        return line(", ".join(numbers) if numbers else count(0, "difference"))
    mark = _MARKS.get(change.change, ("?", "warn"))
    return line(mark, f" {one_line(change.path)}", (f"  ({size(change.size)})", "dim"))
