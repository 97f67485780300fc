"""runner restore-db: get a database back under a new name; and, as a plan of its own, put it in the old one's place."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.app import App
from runner.cli.opening import opened
from runner.cli.progress import display
from runner.cli.show import tell, width
from runner.edge import planfile
from runner.model.errors import UsageError
from runner.model.plan import Effect, Plan
from runner.rules.when import WHEN_HELP
from runner.view.line import line
from runner.view.plan import plan_lines
from runner.view.report import report_lines


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which database, of when, under which name; or what to swap."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="the database, as the dump job knows it")
    parser.add_argument(
        "--at",
        default="",
        metavar="WHEN",
        help=f"take the dump out of the snapshot of that time: {WHEN_HELP}",
    )
    parser.add_argument(
        "--into", default="", metavar="NEWNAME", help="what to call it (default: NAME_restored_<time>)"
    )
    parser.add_argument(
        "--job", default="", metavar="DUMPJOB", help="the dump job, where there is more than one"
    )
    parser.add_argument("--globals", action="store_true", help="first make the roles that are missing")
    parser.add_argument(
        "--swap",
        action="store_true",
        help="with two names, NEWNAME NAME: put a restored database in the place of the old one, which is kept",
    )
    parser.add_argument("--out", metavar="PLAN.TOML", help="write the plan to a file instead of running it")
    parser.add_argument("--yes", action="store_true", help="do not ask before ending sessions")


def run(options: argparse.Namespace) -> int:
    """Show the plan, ask where it interrupts people, run it."""
    live = display()
    with opened(options, live) as app:
        plan = _plan(app, options)
        tell(plan_lines(plan, width=width()))
        tell([()])
        if options.out:
            planfile.write(plan, Path(options.out))
            tell([line(f"Written to {options.out}. To run exactly this: runner apply {options.out}")])
            return 0
        confirmed = options.yes or (plan.effect >= Effect.INTERRUPT and _agreed())
        with live:
            report, code = app.apply(plan, reviewed=False, confirmed=confirmed)
        tell(report_lines(report))
    return code


def _plan(app: App, options: argparse.Namespace) -> Plan:
    from runner import inquiry_db

    if options.swap:
        if len(options.names) != 2 or options.at or options.into or options.globals:
            raise UsageError(
                "--swap wants two names and nothing else", do="runner restore-db --swap NEWNAME NAME"
            )
        new, name = options.names
        return inquiry_db.swapping(app, new, name, options.job)
    if len(options.names) != 1:
        raise UsageError("one database at a time", do="runner restore-db NAME")
    return inquiry_db.restoring(
        app,
        inquiry_db.Back(
            name=options.names[0],
            when=options.at,
            into=options.into,
            job=options.job,
            globals=options.globals,
        ),
    )


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stdout.write("This ends the sessions of whoever is connected. Go on? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
