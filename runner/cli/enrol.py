"""runner enrol: give a host a key of the controller that may do what the jobs want there, and no more."""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.cli.opening import commands_option, opened
from runner.cli.terminal.progress import display
from runner.cli.terminal.show import show, width
from runner.model.errors import UsageError
from runner.model.plan import Plan
from runner.report.line import Line, line
from runner.report.plan import plan_lines
from runner.report.report import report_lines
from runner.tools import called, keepers
from runner.verbs.app import App

# More than so many people keep no small site.
_MOST = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which host, and how root is reached there now."""
    parser.add_argument("host", metavar="HOST", help="the host of jobs.toml that has the stores")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--with", dest="root_key", default="", metavar="KEY", help="a key with which root lets us in")
    way.add_argument("--out", dest="to", default="", metavar="FILE", help="write the order that keepers have to sign")
    way.add_argument("--order", default="", metavar="FILE", help="send the order that keepers have signed")
    parser.add_argument("--from", dest="source", default="", metavar="ADDRESS", help="from where the key is good")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=("reboot", "poweroff", "updates", "upgrade"),
        help="what it may do there beside: end the host, install updates, upgrade what is held",
    )
    enough = "so many have to sign an order for it; 0: it takes none"
    parser.add_argument("--keepers", type=int, choices=range(_MOST + 1), metavar="N", help=enough)
    commands_option(parser)


def run(options: argparse.Namespace) -> int:
    """Show the plan, run it, show the report and what is left to do."""
    from runner.verbs import enrol

    _require_together(options)
    live = display()
    with opened(options, live) as app:
        if options.to:
            show(_ordered(app, options))
            return 0
        plan = _plan(app, options)
        show(plan_lines(plan, width=width(), commands=options.commands, zone=app.site.timezone))
        show([()])
        with live:
            report, code = app.apply(plan, reviewed=False, confirmed=False, fresh=True)
        show(report_lines(report))
        if code == 0 and not options.order:
            show([line(each) for each in _next(options.host, str(enrol.key_of(app.site, options.host)))])
    return code


def _require_together(options: argparse.Namespace) -> None:
    """UsageError where an order is to say what only a person on the host decides."""
    if (options.to or options.order) and (options.source or options.keepers is not None):
        text = "an order changes neither who signs nor from where the key is good"
        raise UsageError(text, do=f"with a key of root there: runner enrol {options.host} --with KEY")
    if options.order and options.allow:
        raise UsageError("what is in an order stands there when it is signed", do="give --allow with --out")


def _plan(app: App, options: argparse.Namespace) -> Plan:
    from runner.verbs import enrol, order

    if options.order:
        return order.taking(app, options.host, Path(options.order))
    return enrol.enrolling(
        app,
        options.host,
        root_key=options.root_key,
        source=options.source,
        allow=tuple(options.allow),
        keepers=options.keepers,
    )


def _ordered(app: App, options: argparse.Namespace) -> list[Line]:
    """Write the order; what it says, and what is to be done with it."""
    from runner.verbs import order, signed

    made = order.ordering(app, options.host, Path(options.to), tuple(options.allow))
    who = f"{made.signed} of {', '.join(signed.listed(app.site, made.signed))}"
    return [
        *map(line, made.text.splitlines()),
        line(),
        line(f"Written to {options.to}. Before it is sent {who} have to read it and sign it, each with:"),
        line("  ", (keepers.sign(options.to, keepers.ORDER), "command")),
        line("Then: ", (f"runner enrol {options.host} --order {called.anywhere(options.to)}", "command")),
    ]


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
