"""runner run: plan, review and run what is due, or the named jobs."""

from __future__ import annotations

import argparse

from runner.cli.next_step import hints
from runner.cli.opening import opened, package_option
from runner.cli.progress import display
from runner.cli.show import tell, width
from runner.model.plan import Plan
from runner.report.plan import plan_lines
from runner.report.report import report_lines


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which jobs, and whether a person stands behind an interruption."""
    parser.add_argument(
        "jobs", nargs="*", metavar="JOB", help="run these and what they come after, due or not"
    )
    parser.add_argument(
        "--yes", action="store_true", help="allow what interrupts people (never what destroys)"
    )
    package_option(parser)
    parser.add_argument("--commands", action="store_true", help="show every command in the plan")


def run(options: argparse.Namespace) -> int:
    """Show the plan, run it, show the report; the exit code is the worst of its parts."""

    def shown(plan: Plan) -> None:
        tell(plan_lines(plan, width=width(), commands=options.commands))
        tell([()])

    from runner.verbs.app import Asked

    packages = tuple(options.package)
    asked = Asked(jobs=tuple(options.jobs), confirmed=options.yes, packages=packages)
    live = display()
    with opened(options, live) as app, live:
        report, code = app.run(asked, shown)
    tell(report_lines(report))
    tell(hints(app.site, report))
    return code
