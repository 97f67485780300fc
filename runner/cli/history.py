"""runner history: the last runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime

from runner.cli.opening import opened
from runner.cli.show import show, show_json
from runner.model.text import length, minute
from runner.report.line import Table, line


def arguments(parser: argparse.ArgumentParser) -> None:
    """How many, which form."""
    parser.add_argument("-n", "--number", type=int, default=20, metavar="N", help="how many runs (default: 20)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """List them, newest first."""
    with opened(options) as app:
        runs, zone = app.journal.runs(options.number), app.site.timezone
        instants = {run.id: app.journal.instants.of(run.id) for run in runs}
    if options.json:
        show_json(
            [
                {
                    "id": run.id,
                    "started": run.started,
                    "ended": run.ended,
                    "verdict": run.verdict,
                    "instants": instants[run.id],
                }
                for run in runs
            ]
        )
        return 0
    rows = tuple(
        (
            run.id,
            minute(run.started, zone),
            length(run.ended - run.started) if run.ended else "",
            run.verdict or ("under way" if run.alive else "killed"),
            _due(tuple(instants[run.id].values()), zone),
        )
        for run in runs
    )
    table = Table(head=("run", "started", "took", "verdict", "was due"), rows=rows)
    show([table if rows else line("no run yet")])
    return 0


def _due(instants: Sequence[datetime], zone: str) -> str:
    """When the jobs of a run were due, in short; "" where it was by hand."""
    times = sorted(set(instants))
    return f"{minute(times[0], zone)}{' and later' if len(times) > 1 else ''}" if times else ""
