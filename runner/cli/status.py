"""runner status: how each job ended last, when it is due, what the stores hold."""

from __future__ import annotations

import argparse
from zoneinfo import ZoneInfo

from runner.cli.opening import opened
from runner.cli.show import show, show_json, table
from runner.model.errors import FactsIncomplete
from runner.model.text import length, one_line, size
from runner.view.line import line


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which form."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print it; 3 where a store could not be read."""
    from runner import inquiry
    from runner.rules.schedule import next_time

    with opened(options) as app:
        site, now = app.site, app.now().astimezone(ZoneInfo(app.site.timezone))
        last = {job.name: app.journal.last_of(job.name) for job in site.jobs}
        found = inquiry.holdings(app)
        runs = [one for one in app.journal.runs(50) if one.alive]
    upcoming = {job.name: next_time(job.schedule, now) for job in site.jobs if job.schedule}
    if options.json:
        show_json({
            "site": site.name, "live": site.live,
            "jobs": {
                job.name: {
                    "verdict": told.verdict.value if (told := last[job.name]) else None,
                    "ended": told.ended if told else None, "headline": told.headline if told else "",
                    "next": upcoming.get(job.name),
                }
                for job in site.jobs
            },
            "stores": {
                one.store.name: {
                    "snapshots": len(one.sealed), "newest": one.sealed[-1].name if one.sealed else None,
                    "error": one.error,
                }
                for one in found
            },
        })  # fmt: skip
        return FactsIncomplete.code if any(one.error for one in found) else 0
    rows = []
    for job in site.jobs:
        told = last[job.name]
        rows.append((
            f"  {job.name}", told.verdict.value if told else "never run",
            f"{length(now - told.ended)} ago" if told else "", f"{upcoming[job.name]:%a %d %b %H:%M}" if job.name in upcoming else "when named",
            one_line(told.headline) if told else "",
        ))  # fmt: skip
    show(
        [
            line(
                (f"{site.name}", "name"),
                f"  {'live' if site.live else 'sandbox'}, controller {site.controller}",
            ),
            line(),
        ]
    )
    show(table(("  job", "last", "when", "next", "what"), rows))
    show([line()])
    stores = [
        (
            f"  {one.store.name}", str(len(one.sealed)),
            f"{one.store.retention.min} to {one.store.retention.max}" if one.store.retention else "all",
            one.sealed[-1].name if one.sealed else "none",
            size(one.found.space.free) if one.found and one.found.space else "?", one_line(one.error) or "good",
        )
        for one in found
    ]  # fmt: skip
    show(table(("  store", "snapshots", "to keep", "newest", "free", "state"), stores, right=(1,)))
    for one in runs:
        show([line(), line((f"a run is under way since {one.started:%Y-%m-%d %H:%M} UTC", "warn"))])
    return FactsIncomplete.code if any(one.error for one in found) else 0
