"""runner apply: run exactly what a reviewed plan says, once."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.cli.opening import opened
from runner.cli.progress import LiveDisplay, LogDisplay, display
from runner.cli.run import hints
from runner.cli.show import show_text, tell, width
from runner.engine import planfile
from runner.model.plan import Effect, Plan
from runner.model.run import Report
from runner.report.line import line
from runner.report.plan import plan_lines
from runner.report.report import report_lines
from runner.tools import called
from runner.verbs.app import App


def arguments(parser: argparse.ArgumentParser) -> None:
    """The plan file."""
    parser.add_argument("plan", metavar="PLAN.TOML", help="a plan that `runner plan --out PLAN.TOML` wrote")


def run(options: argparse.Namespace) -> int:
    """Run the plan; 5 where it is stale, 4 where it is refused."""
    live = display()
    with opened(options, live) as app:
        plan = planfile.read(Path(options.plan), app.key)
        with live:
            report, code = app.apply(plan, reviewed=True, confirmed=True)
    tell(report_lines(report))
    tell(hints(app.site, report))
    return code


def carry_out(
    app: App, plan: Plan, options: argparse.Namespace, live: LiveDisplay | LogDisplay, question: str
) -> tuple[Report | None, int]:
    """Run `plan` and show the report, or write the plan to `--out` instead; the report and the exit code.

    Where it interrupts, `--yes` or an answer to `question` at a terminal must allow it. Where the
    answer is no there is no report.
    """
    tell(plan_lines(plan, width=width(), commands=options.commands, zone=app.site.timezone))
    tell([()])
    if options.out:
        planfile.write(plan, Path(options.out), app.key)
        command = f"runner apply {called.anywhere(options.out)}"
        tell([line(f"Written to {options.out}. To run exactly this: ", (command, "command"))])
        return None, 0
    confirmed, fresh = options.yes, True
    if plan.effect >= Effect.INTERRUPT and not confirmed and sys.stdin.isatty():
        confirmed, fresh = _agreed(question), False
        if not confirmed:
            tell([line("Nothing was done.")])
            return None, 0
    with live:
        report, code = app.apply(plan, reviewed=False, confirmed=confirmed, fresh=fresh)
    tell(report_lines(report))
    return report, code


def _agreed(question: str) -> bool:
    show_text(f"{question} Go on? [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
