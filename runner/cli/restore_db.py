"""runner restore-db: get a database back under a new name; and, as a plan of its own, put it in the old one's place."""

from __future__ import annotations

import argparse

from runner.cli.apply import carry_out
from runner.cli.opening import commands_option, opened
from runner.cli.terminal.progress import display
from runner.jobs.snapshots.when import WHEN_HELP
from runner.model.errors import UsageError
from runner.model.plan import Plan
from runner.verbs.app import App

_QUESTION = "This ends the sessions of whoever is connected."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which database, of when, under which name; or what to swap."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="the database, as the dump job knows it")
    parser.add_argument(
        "--at", default="", metavar="WHEN", help=f"take the dump out of the snapshot of that time: {WHEN_HELP}"
    )
    parser.add_argument("--into", default="", metavar="NEWNAME", help="what to call it (default: NAME_restored_<time>)")
    parser.add_argument("--job", default="", metavar="DUMPJOB", help="the dump job, where there is more than one")
    parser.add_argument("--globals", action="store_true", help="first make the roles that are missing")
    parser.add_argument(
        "--as-superuser",
        dest="superuser",
        action="store_true",
        help="restore all of it with a superuser's rights, so that all code in it runs as the server's account",
    )
    parser.add_argument(
        "--swap",
        action="store_true",
        help="with two names, NEWNAME NAME: put a restored database in the place of the old one, which is kept",
    )
    parser.add_argument("--out", metavar="PLAN.TOML", help="write the plan to a file instead of running it")
    parser.add_argument("--yes", action="store_true", help="do not ask before ending sessions")
    commands_option(parser)


def run(options: argparse.Namespace) -> int:
    """Show the plan, ask where it interrupts people, run it."""
    live = display()
    with opened(options, live) as app:
        plan = _plan(app, options)
        _, code = carry_out(app, plan, options, live, _QUESTION)
    return code


def _plan(app: App, options: argparse.Namespace) -> Plan:
    from runner.verbs import restore_database

    if options.swap:
        if len(options.names) != 2 or options.at or options.into or options.globals or options.superuser:
            raise UsageError("--swap takes two names and nothing else", do="runner restore-db --swap NEWNAME NAME")
        new, name = options.names
        return restore_database.swapping(app, new, name, options.job)
    if len(options.names) != 1:
        raise UsageError("one database at a time", do="runner restore-db NAME")
    return restore_database.restoring(
        app,
        restore_database.DatabaseRequest(
            name=options.names[0],
            when=options.at,
            into=options.into,
            job=options.job,
            globals=options.globals,
            superuser=options.superuser,
        ),
    )
