"""runner history: the last runs."""

from __future__ import annotations

import argparse
from zoneinfo import ZoneInfo

from runner.cli.opening import opened
from runner.cli.show import show, show_json
from runner.model.text import length
from runner.report.line import Table, line


def arguments(parser: argparse.ArgumentParser) -> None:
    """How many, which form."""
    parser.add_argument("-n", "--number", type=int, default=20, metavar="N", help="how many runs (default: 20)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """List them, newest first."""
    with opened(options) as app:
        runs, zone = app.journal.runs(options.number), ZoneInfo(app.site.timezone)
    if options.json:
        show_json([{"id": run.id, "started": run.started, "ended": run.ended, "verdict": run.verdict} for run in runs])
        return 0
    rows = tuple(
        (
            run.id,
            f"{run.started.astimezone(zone):%Y-%m-%d %H:%M %Z}",
            length(run.ended - run.started) if run.ended else "",
            run.verdict or ("under way" if run.alive else "killed"),
        )
        for run in runs
    )
    table = Table(head=("run", "started", "took", "verdict"), rows=rows)
    show([table if rows else line("no run yet")])
    return 0
