"""runner plan: show what would run, and write it to a file."""

from __future__ import annotations

import argparse

from runner.cli.apply import written
from runner.cli.opening import asked, commands_option, instant_option, opened, package_option
from runner.cli.terminal.show import show, show_json, width
from runner.engine import planfile
from runner.model.errors import FactsIncomplete, PlanRefused
from runner.model.text import utc
from runner.report.line import line
from runner.report.plan import plan_lines


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which jobs, which form, which file."""
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="plan these and what they come after, due or not")
    package_option(parser)
    instant_option(parser)
    parser.add_argument("--json", action="store_true", help="print the plan as JSON (schema/plan.schema.json)")
    parser.add_argument("--out", metavar="PLAN.TOML", help="write the plan to a file, for `runner apply`")
    parser.add_argument("--exact", action="store_true", help="count what the snapshots will need (scans the sources)")
    commands_option(parser)


def run(options: argparse.Namespace) -> int:
    """Show the plan; 4 where something refuses it, 3 where a person must see to something."""
    from runner.verbs import exactly

    with opened(options) as app:
        plan = app.plan(asked(options, app))
        plan = exactly.counted(app, plan) if options.exact else plan
    if options.json:
        show_json(planfile.data(plan, utc))
    else:
        show(plan_lines(plan, width=width(), commands=options.commands, zone=app.site.timezone))
    if options.out:
        lines = written(app, plan, options.out)
        show([] if options.json else [line(), *lines])
    if plan.refusals:
        return PlanRefused.code
    return FactsIncomplete.code if any(finding.severity == "attention" for finding in plan.findings) else 0
