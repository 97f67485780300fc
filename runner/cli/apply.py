"""runner apply: run exactly what a reviewed plan says, once."""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.cli.next_step import hints
from runner.cli.opening import opened
from runner.cli.progress import display
from runner.cli.show import tell
from runner.engine import planfile
from runner.report.report import report_lines


def arguments(parser: argparse.ArgumentParser) -> None:
    """The plan file."""
    parser.add_argument("plan", metavar="PLAN.TOML", help="a plan that `runner plan --out` wrote")


def run(options: argparse.Namespace) -> int:
    """Run the plan; 5 where it is stale, 4 where it is refused."""
    plan = planfile.read(Path(options.plan))
    live = display()
    with opened(options, live) as app, live:
        report, code = app.apply(plan, reviewed=True, confirmed=True)
    tell(report_lines(report))
    tell(hints(app.site, report))
    return code
