"""runner apply: run exactly what a reviewed plan says, once."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.cli.opening import opened
from runner.cli.run import hints
from runner.cli.terminal.progress import LiveDisplay, LogDisplay, display
from runner.cli.terminal.show import show_text, tell, width
from runner.engine import planfile, seal
from runner.model.errors import PlanRefused
from runner.model.plan import Effect, Plan
from runner.model.run import Report
from runner.planning import keepers
from runner.report.line import Line, line
from runner.report.plan import plan_lines, summary
from runner.report.report import report_lines
from runner.tools import called
from runner.tools.keepers import sign
from runner.verbs.app import App


def arguments(parser: argparse.ArgumentParser) -> None:
    """The plan file, and which plan it has to be."""
    parser.add_argument("plan", metavar="PLAN.TOML", help="a plan that `runner plan --out PLAN.TOML` wrote")
    parser.add_argument("--code", metavar="XXXX-XXXX", help="run it only if this is the code that `plan` showed")


def run(options: argparse.Namespace) -> int:
    """Run the plan; 5 where it is stale, 4 where it is refused."""
    live = display()
    with opened(options, live) as app:
        file = planfile.take(Path(options.plan), app.key)
        _require_code(app, file, options)
        names = _signers(app, options.plan, file)
        tell([line(f"Signed by {' and '.join(names)}.")] if names else [])
        with live:
            report, code = app.apply(file.plan, reviewed=True, confirmed=True, signers=names)
    tell(report_lines(report))
    tell(hints(app.site, report))
    return code


def _signers(app: App, plan: str, file: planfile.PlanFile) -> tuple[str, ...]:
    if not keepers.reasons(file.plan, app.site):
        return ()
    from runner.verbs import signed  # late: few plans need it

    return signed.signers(app, plan, file)


def _require_code(app: App, file: planfile.PlanFile, options: argparse.Namespace) -> None:
    """PlanRefused unless this is the plan whose code was given; at a terminal it is asked for where people notice.

    The file may have been written anew since it was read, or be another than was meant.
    """
    wanted = _is_code_wanted(app, file.plan)
    if options.code is None and (not wanted or not (app.site.ask_code or sys.stdin.isatty())):
        return
    code = options.code
    if code is None and sys.stdin.isatty():
        tell([summary(file.plan)])
        show_text("The code of this plan, as `runner plan` showed it last: ")
        code = sys.stdin.readline()
    if not (code and code.strip()):
        raise PlanRefused(
            f"{options.plan}: its code was not given, and nothing was done",
            do="`runner plan` shows it when it writes a plan; then: runner apply plan.toml --code CODE",
        )
    if not seal.is_code(code, file.code):
        raise PlanRefused(
            f"{options.plan} is another plan than that with the code {code.strip()[:20]!a}, and nothing was done",
            do=f"see whether the code is mistyped, or {planfile.AGAIN}, and read it",
        )


def _is_code_wanted(app: App, plan: Plan) -> bool:
    return app.site.ask_code or plan.effect >= Effect.INTERRUPT


def written(app: App, plan: Plan, out: str) -> list[Line]:
    """Write `plan` to the file `out`, and say how it is run; last its code."""
    code = planfile.write(plan, Path(out), app.key)
    apply = f"runner apply {called.anywhere(out)}"
    asked = "asks for" if _is_code_wanted(app, plan) else "takes with --code, and then runs no other plan"
    return [
        line(f"Written to {out}. To run exactly this: ", (apply, "command")),
        *_to_sign(app, plan, out),
        line(f"The code that apply {asked}: ", (code, "head")),
    ]


def _to_sign(app: App, plan: Plan, out: str) -> list[Line]:
    """Why two keepers have to sign it, who they are, and how; nothing where they need not."""
    needing = keepers.reasons(plan, app.site)
    if not needing:
        return []
    from runner.verbs import signed

    try:
        who = f"two of {', '.join(signed.listed(app.site))}"
    except PlanRefused as error:
        # It is said again, and stops, where the plan is applied.
        return [line((error.text, "bad")), line("  -> ", (error.do, "advice"))]
    how = f"Before that {who} have to read it and sign it, each with:"
    return [*(line(why) for why in needing.values()), line(how), line("  ", (sign(out), "command"))]


def carry_out(
    app: App, plan: Plan, options: argparse.Namespace, live: LiveDisplay | LogDisplay, question: str
) -> tuple[Report | None, int]:
    """Run `plan` and show the report, or write the plan to `--out` instead; the report and the exit code.

    Where it interrupts, `--yes` or an answer to `question` at a terminal must allow it. Where the
    answer is no there is no report.
    """
    tell(plan_lines(plan, width=width(), commands=options.commands, zone=app.site.timezone))
    tell([()])
    if options.out:
        tell(written(app, plan, options.out))
        return None, 0
    confirmed, fresh = options.yes, True
    if plan.effect >= Effect.INTERRUPT and not confirmed and sys.stdin.isatty():
        confirmed, fresh = _agreed(question), False
        if not confirmed:
            tell([line("Nothing was done.")])
            return None, 0
    with live:
        report, code = app.apply(plan, reviewed=False, confirmed=confirmed, fresh=fresh)
    tell(report_lines(report))
    return report, code


def _agreed(question: str) -> bool:
    show_text(f"{question} Go on? [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
