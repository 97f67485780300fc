"""runner status: how each job ended last, when it is due, what the stores hold."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from runner.cli.opening import opened
from runner.cli.show import show, show_json
from runner.model.errors import FactsIncomplete
from runner.model.run import JobLine
from runner.model.site import Job, Site
from runner.model.text import length, one_line, size
from runner.report.line import Table, line

if TYPE_CHECKING:
    from runner.verbs.browse import Holding


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which form."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print it; 3 where a store could not be read."""
    from runner.planning.schedule import next_time
    from runner.verbs import browse

    with opened(options) as app:
        site, now = app.site, app.now().astimezone(ZoneInfo(app.site.timezone))
        last = {job.name: app.journal.last_of(job.name) for job in site.jobs}
        found = browse.holdings(app)
        running = [one for one in app.journal.runs(50) if one.alive]
        announced = app.journal.announcements.coming()
    upcoming = {job.name: next_time(job.schedule, now) for job in site.jobs if job.schedule}
    if options.json:
        show_json(_json(site, last, upcoming, found))
    else:
        mode = "live" if site.live else "sandbox"
        show([line((site.name, "name"), f"  {mode}, controller {site.controller}"), line()])
        told = {name: one.at.astimezone(now.tzinfo) for name, one in announced.items()}
        due = {
            **{name: f"{at:%a %d %b %H:%M}" for name, at in upcoming.items()},
            **{name: f"{at:%a %d %b %H:%M}, announced" for name, at in told.items()},
        }
        rows = [_job_row(job, last[job.name], due.get(job.name, "when named"), now) for job in site.jobs]
        rows += [(job.name, "", "", f"on {job.runs_on}", "") for job in site.elsewhere]
        job_head = ("job", "last", "when", "next", "what")
        show([Table(head=job_head, rows=tuple(rows), cut=True)])
        show([line()])
        store_head = ("store", "snapshots", "to keep", "newest", "free", "state")
        show([Table(head=store_head, rows=tuple(_store_row(one) for one in found), right=(1,))])
        show([line((f"  {one.store.name}: {_runway(one)}", "dim")) for one in found if len(one.sealed) > 1])
        proven = [(one.store.name, _proven(one, now)) for one in found]
        show([line((f"  {name}: {told}", "dim")) for name, told in proven if told])
        for one in running:
            since = f"{one.started.astimezone(now.tzinfo):%Y-%m-%d %H:%M %Z}"
            show([line(), line((f"a run is under way since {since}", "warn"))])
    return FactsIncomplete.code if any(one.error for one in found) else 0


def _job_row(job: Job, told: JobLine | None, due: str, now: datetime) -> tuple[str, ...]:
    if told is None:
        return (job.name, "never run", "", due, "")
    ago = f"{' '.join(length(now - told.ended).split()[:2])} ago"
    return (job.name, told.verdict.value, ago, due, one_line(told.headline))


def _store_row(one: Holding) -> tuple[str, ...]:
    kept = one.store.retention
    return (
        one.store.name,
        str(len(one.sealed)),
        f"{kept.min} to {kept.max}" if kept else "all",
        one.sealed[-1].name if one.sealed else "none",
        size(one.found.space.free) if one.found and one.found.space else "?",
        one_line(one.error) or "good",
    )


def _runway(one: Holding) -> str:
    from runner.jobs.retention.runway import growth, runway

    space = one.found.space if one.found else None
    return runway(growth(one.sealed), space, one.store.retention).words()


def _proven(one: Holding, now: datetime) -> str:
    from runner.jobs.snapshots.proven import ages

    return ages(one.found.proven, now) if one.found else ""


def _json(
    site: Site, last: Mapping[str, JobLine | None], upcoming: Mapping[str, datetime], found: Sequence[Holding]
) -> dict[str, Any]:
    jobs = {
        job.name: {
            "verdict": told.verdict.value if (told := last[job.name]) else None,
            "ended": told.ended if told else None,
            "headline": told.headline if told else "",
            "next": upcoming.get(job.name),
        }
        for job in site.jobs
    }
    stores = {
        one.store.name: {
            "snapshots": len(one.sealed),
            "newest": one.sealed[-1].name if one.sealed else None,
            "error": one.error,
            "runway": _runway(one),
            "proven": {sort: each.at for sort, each in one.found.proven.items()} if one.found else {},
        }
        for one in found
    }
    return {"site": site.name, "live": site.live, "jobs": jobs, "stores": stores}
