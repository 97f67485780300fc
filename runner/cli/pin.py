"""runner pin: keep one snapshot whatever the retention says, or release it again."""

from __future__ import annotations

import argparse

from runner.cli.opening import commands_option, opened
from runner.cli.terminal.progress import display
from runner.cli.terminal.show import show, width
from runner.jobs.snapshots.when import WHEN_HELP
from runner.report.plan import plan_lines
from runner.report.report import report_lines


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which, until when, why."""
    parser.add_argument("snapshot", metavar="WHEN", help=WHEN_HELP)
    parser.add_argument("--store", default="", metavar="STORE", help="the store that has it")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--until", metavar="DATE", help="keep it until the end of this day: 2027-01-31")
    choice.add_argument("--remove", action="store_true", help="remove the pin")
    parser.add_argument("--why", default="", metavar="TEXT", help="for whoever finds it later")
    commands_option(parser)


def run(options: argparse.Namespace) -> int:
    """Show the plan, run it, show the report."""
    from runner.verbs import browse

    until = "" if options.remove else options.until
    live = display()
    with opened(options, live) as app:
        plan = browse.pinning(app, options.snapshot, options.store, until, options.why)
        show(plan_lines(plan, width=width(), commands=options.commands, zone=app.site.timezone))
        show([()])
        with live:
            report, code = app.apply(plan, reviewed=False, confirmed=False, fresh=True)
    show(report_lines(report))
    return code
