"""runner history: the last runs, and what is known of the past of a store."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from runner.cli.opening import opened
from runner.cli.terminal.show import show, show_json
from runner.model.run import Verdict
from runner.model.text import count, length
from runner.report.line import Table, line

if TYPE_CHECKING:
    from runner.engine.journal import RunLine
    from runner.verbs.app import App

# So many jobs that had nothing to do are named.
_MOST = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Of which store, how many, which form."""
    parser.add_argument("store", nargs="?", metavar="STORE", help="what is known of its past, and whether that fits")
    parser.add_argument("--accept", metavar="HEAD", help="take this, its present head in full, as known from now on")
    parser.add_argument("-n", "--number", type=int, default=20, metavar="N", help="how many runs (default: 20)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """List them, newest first; 3 where the past of a store is not as it was."""
    if options.store or options.accept:
        from runner.cli import store_history

        return store_history.run(options)
    with opened(options) as app:
        runs, zone = app.journal.runs(options.number), app.site.timezone
        instants = {run.id: app.journal.instants.of(run.id) for run in runs}
        jobs = {run.id: _jobs(app, run) for run in runs}
    if options.json:
        show_json(
            [
                {
                    "id": run.id,
                    "started": run.started,
                    "ended": run.ended,
                    "verdict": run.verdict,
                    "killed": run.cut_off,
                    "instants": instants[run.id],
                    "jobs": jobs[run.id],
                }
                for run in runs
            ]
        )
        return 0
    clock = ZoneInfo(zone)
    rows = tuple(
        (
            _short(run.started, clock),
            length(run.ended - run.started) if run.ended and not run.cut_off else "",
            "killed" if run.cut_off else run.verdict or "under way",
            _due(tuple(instants[run.id].values()), clock),
            _names(jobs[run.id]),
        )
        for run in runs
    )
    table = Table(head=("started", "took", "verdict", "due from", "jobs"), rows=rows, whole=(0, 1, 3))
    show([table if rows else line("no run yet")])
    return 0


def _jobs(app: App, run: RunLine) -> dict[str, str]:
    """Each job of the run with its verdict; one that has not ended is under way, not begun or was cut off."""
    ended = app.journal.progress.jobs(run.id)
    if run.ended and not run.cut_off:
        return ended
    state = {True: "under way", False: "not begun"} if run.alive else {True: "cut off", False: "not begun"}
    return {
        **ended,
        **{job.job: state[job.started is not None] for job in app.journal.progress.of(run.id) if not job.verdict},
    }


def _names(jobs: Mapping[str, str]) -> str:
    """The jobs in short: how one ended only where that was not well, and many that had nothing to do as a number."""
    shown = {job: end for job, end in jobs.items() if end != Verdict.NOTHING.value}
    idle = [job for job in jobs if job not in shown]
    words = [job if end == Verdict.DONE.value else f"{job} ({end})" for job, end in shown.items()]
    if len(idle) > _MOST:
        return ", ".join([*words, f"{count(len(idle), 'job')} with nothing to do"])
    return ", ".join([*words, *(f"{job} ({Verdict.NOTHING.value})" for job in idle)])


def _due(instants: Sequence[datetime], clock: ZoneInfo) -> str:
    """When the first job of a run was due, in short; "" where it was by hand."""
    return _short(min(instants), clock) if instants else ""


def _short(at: datetime, clock: ZoneInfo) -> str:
    return f"{at.astimezone(clock):%a %d %b %H:%M}"
