"""runner run: plan, review and run what is due, or the named jobs."""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import replace
from pathlib import Path

from runner.cli.opening import asked, commands_option, instant_option, opened, package_option
from runner.cli.terminal.progress import display
from runner.cli.terminal.show import tell, width
from runner.model.plan import Plan
from runner.model.run import Report, Verdict
from runner.model.site import Site
from runner.model.text import one_line
from runner.report.line import Line, line
from runner.report.plan import plan_lines
from runner.report.report import report_lines


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which jobs, and whether a person stands behind an interruption."""
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="run these and what they come after, due or not")
    parser.add_argument("--yes", action="store_true", help="allow what interrupts people (never what destroys)")
    parser.add_argument(
        "--new-machine",
        action="append",
        default=[],
        metavar="HOST",
        help="HOST is the machine that answers now, and no longer the one that it was (repeat for more)",
    )
    package_option(parser)
    instant_option(parser)
    commands_option(parser)


def run(options: argparse.Namespace) -> int:
    """Show the plan, run it, show the report; the exit code is the worst of its parts."""

    def shown(plan: Plan) -> None:
        tell(plan_lines(plan, width=width(), commands=options.commands, zone=app.site.timezone))
        tell([()])

    live = display()
    with opened(options, live) as app, live:
        request = asked(options, app)
        request = replace(request, confirmed=options.yes, new_machines=tuple(options.new_machine))
        report, code = app.run(request, shown)
    tell(report_lines(report))
    tell(hints(app.site, report))
    return code


def hints(site: Site, report: Report) -> list[Line]:
    """Where the snapshot is, and what to edit; nothing when live or when nothing was sealed."""
    made = {job.made.partition("/")[0] for job in report.jobs if job.made}
    stores = [store for store in site.stores if store.name in made]
    if site.live or not stores or report.verdict == Verdict.FAILED:
        return []
    lines = [line(), line(("Next", "head"))]
    for store in stores:
        lines.append(_hint("look at it", f"ls {site.host(store.host).at(store.path)}/latest/"))
    first = stores[0]
    host = next((job.host for job in site.jobs if getattr(job.options, "store", "") == first.name), site.controller)
    example = next((_example(folder) for folder in site.host(host).stand_ins), "/")
    # Where the hook of the mails puts them when nothing is to leave this machine.
    mails = Path(site.sandbox) / "mail"
    lines += [_hint("read the mail", f"ls {shlex.quote(str(mails))}/")] if mails.is_dir() else []
    lines += [
        _hint("get a file back", f"runner restore {host} {one_line(example)}"),
        line("  change it        ", ("edit jobs.toml, then: runner plan", "advice")),
        line("  for real         set live = true in jobs.toml; docs/guide.md says what else"),
    ]
    return lines


def _hint(what: str, command: str) -> Line:
    return line(f"  {what:15}  ", (command, "command"))


def _example(folder: str) -> str:
    """A file to try a restore with: something readable that a person would know, or the folder itself."""
    files = sorted(path for path in Path(folder).iterdir() if path.is_file() and os.access(path, os.R_OK))
    known = [path for path in files if path.name == "hostname"]
    plain = [path for path in files if path.name.isidentifier()]
    return shlex.quote(str(next(iter((*known, *plain)), Path(folder))))
