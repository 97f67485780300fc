"""runner restore: get something back."""

from __future__ import annotations

import argparse

from runner.cli.apply import carry_out
from runner.cli.opening import commands_option, opened
from runner.cli.terminal.progress import display
from runner.cli.terminal.show import tell
from runner.jobs.snapshots.when import WHEN_HELP
from runner.model.plan import Plan
from runner.model.role import Role
from runner.model.run import Verdict
from runner.model.site import Site
from runner.report.line import line

_QUESTION = "This writes into a folder that may be in use."


def arguments(parser: argparse.ArgumentParser) -> None:
    """What, from when, to where."""
    parser.add_argument("host", metavar="HOST", help="whose file or folder")
    parser.add_argument("path", metavar="PATH", help="as it is on that host, from the first /")
    parser.add_argument("--at", default="latest", metavar="WHEN", help=WHEN_HELP)
    parser.add_argument(
        "--to",
        default="",
        metavar="DIR",
        help="a folder of that host; / puts it where it was (default: a new folder below /var/restored)",
    )
    parser.add_argument("--store", default="", metavar="STORE", help="take it from this store")
    parser.add_argument(
        "--with-rights",
        action="store_true",
        help="with --to, from another host's store: also devices, file capabilities, set-user-ID and set-group-ID bits",
    )
    parser.add_argument("--out", metavar="PLAN.TOML", help="write the plan to a file instead of running it")
    parser.add_argument("--yes", action="store_true", help="do not ask before writing into a folder in use")
    commands_option(parser)


def run(options: argparse.Namespace) -> int:
    """Show the plan, ask where it could hurt, run it, say where things are."""
    from runner.verbs import restoring

    live = display()
    with opened(options, live) as app:
        wanted = restoring.Wanted(
            host=options.host,
            path=options.path,
            when=options.at,
            to=options.to,
            store=options.store,
            with_rights=options.with_rights,
        )
        plan = restoring.restoring(app, wanted)
        report, code = carry_out(app, plan, options, live, _QUESTION)
        if report and report.verdict not in (Verdict.FAILED, Verdict.ATTENTION):
            tell([line(), line(("It is back: ", "good"), _place(app.site, plan))])
    return code


def _place(site: Site, plan: Plan) -> str:
    steps = {step.role: step for step in plan.steps}
    copy, folder = steps[Role.COPY], steps[Role.FOLDER]
    # Where another machine copies it, a person must be told on which it is now.
    far = site.live and copy.host != folder.host
    return f"{copy.subject} on {folder.host}" if far else copy.subject
