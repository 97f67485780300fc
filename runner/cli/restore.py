"""runner restore: get something back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.cli.opening import opened
from runner.cli.progress import display
from runner.cli.show import tell, width
from runner.edge import planfile
from runner.model.plan import Effect, Plan
from runner.model.run import Verdict
from runner.model.site import Site
from runner.model.text import one_line
from runner.rules.when import WHEN_HELP
from runner.view.line import line
from runner.view.plan import plan_lines
from runner.view.report import report_lines


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
    )  # noqa: E501
    parser.add_argument("--store", default="", metavar="STORE", help="take it from this store")
    parser.add_argument("--out", metavar="PLAN.TOML", help="write the plan to a file instead of running it")
    parser.add_argument("--yes", action="store_true", help="do not ask before writing into a folder in use")


def run(options: argparse.Namespace) -> int:
    """Show the plan, ask where it could hurt, run it, say where things are."""
    from runner import inquiry

    back = inquiry.Back(
        host=options.host, path=options.path, when=options.at, to=options.to, store=options.store
    )
    live = display()
    with opened(options, live) as app:
        plan = inquiry.restoring(app, back)
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
        if report.verdict not in (Verdict.FAILED, Verdict.ATTENTION):
            tell([line(), line(("It is back: ", "good"), _place(app.site, plan))])
    return code


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stdout.write("This writes into a folder that may be in use. Go on? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _place(site: Site, plan: Plan) -> str:
    copy = next(step for step in plan.steps if step.id.endswith("/copy"))
    source, target = copy.action.argv[-2:]  # type: ignore[union-attr]
    place = target.rstrip("/") + "/" + source.partition("/./")[2]
    # rsync writes HOST:PATH; a person reads where that is.
    host = next((host.name for host in site.hosts if site.live and place.startswith(f"{host.name}:/")), "")
    return one_line(f"{place.removeprefix(f'{host}:')} on {host}" if host else place)
