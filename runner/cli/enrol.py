"""runner enrol: give a host a key of the controller that may do what the jobs want there, and no more."""

from __future__ import annotations

import argparse

from runner.cli.opening import commands_option, opened
from runner.cli.terminal.progress import display
from runner.cli.terminal.show import show, width
from runner.report.line import line
from runner.report.plan import plan_lines
from runner.report.report import report_lines


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which host, and how root is reached there now."""
    parser.add_argument("host", metavar="HOST", help="the host of jobs.toml that has the stores")
    parser.add_argument("--with", dest="root_key", default="", metavar="FILE", help="a key with which root lets us in")
    parser.add_argument("--from", dest="source", default="", metavar="ADDRESS", help="from where the key is good")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=("reboot", "poweroff", "updates", "upgrade"),
        help="what it may do there beside: end the host, install updates, upgrade what is held",
    )
    commands_option(parser)


def run(options: argparse.Namespace) -> int:
    """Show the plan, run it, show the report and what is left to do."""
    from runner.verbs import enrol

    live = display()
    with opened(options, live) as app:
        plan = enrol.enrolling(
            app, options.host, root_key=options.root_key, source=options.source, allow=tuple(options.allow)
        )
        show(plan_lines(plan, width=width(), commands=options.commands, zone=app.site.timezone))
        show([()])
        with live:
            report, code = app.apply(plan, reviewed=False, confirmed=False, fresh=True)
        show(report_lines(report))
        if code == 0:
            show([line(each) for each in _next(options.host, str(enrol.key_of(app.site, options.host)))])
    return code


def _next(host: str, key: str) -> tuple[str, ...]:
    return (
        "",
        "Put the key into jobs.toml, and the runner uses it from then on:",
        "",
        f"  [hosts.{host}]",
        f'  key = "{key}"',
        "",
        f"When a run has worked with it, take our older key out of authorized_keys on {host}:",
        "until then whoever takes this machine can still use that one.",
    )
