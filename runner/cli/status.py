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
        holdings = browse.holdings(app)
        running = [run for run in app.journal.runs(50) if run.alive]
        announced = app.journal.announcements.coming()
    upcoming = {job.name: next_time(job.schedule, now) for job in site.jobs if job.schedule}
    if options.json:
        show_json(_json(site, last, upcoming, holdings))
    else:
        mode = "live" if site.live else "sandbox"
        show([line((site.name, "name"), f"  {mode}, controller {site.controller}"), line()])
        announced_at = {name: coming.at.astimezone(now.tzinfo) for name, coming in announced.items()}
        due = {
            **{name: f"{at:%a %d %b %H:%M}" for name, at in upcoming.items()},
            **{name: f"{at:%a %d %b %H:%M}, announced" for name, at in announced_at.items()},
        }
        rows = [_job_row(job, last[job.name], due.get(job.name, "when named"), now) for job in site.jobs]
        rows += [(job.name, "", "", "", f"on {job.runs_on}", "") for job in site.elsewhere]
        job_head = ("job", "last", "when", "for", "next", "what")
        show([Table(head=job_head, rows=tuple(rows), cut=True)])
        show([line()])
        store_head = ("store", "snapshots", "to keep", "newest", "free", "state")
        show([Table(head=store_head, rows=tuple(_store_row(holding) for holding in holdings), right=(1,))])
        show(
            [
                line((f"  {holding.store.name}: {_runway(holding)}", "dim"))
                for holding in holdings
                if len(holding.sealed) > 1
            ]
        )
        proven = [(holding.store.name, _proven(holding, now)) for holding in holdings]
        show([line((f"  {name}: {ages}", "dim")) for name, ages in proven if ages])
        for run in running:
            since = f"{run.started.astimezone(now.tzinfo):%Y-%m-%d %H:%M %Z}"
            show([line(), line((f"a run is under way since {since}", "warn"))])
    return FactsIncomplete.code if any(holding.error for holding in holdings) else 0


def _job_row(job: Job, last: JobLine | None, due: str, now: datetime) -> tuple[str, ...]:
    if last is None:
        return (job.name, "never run", "", "", due, "")
    ago = f"{' '.join(length(now - last.ended).split()[:2])} ago" if last.ended <= now else "ahead of the clock"
    instant = f"{last.instant.astimezone(now.tzinfo):%a %d %b %H:%M}" if last.instant else "by hand"
    return (job.name, last.verdict.value, ago, instant, due, one_line(last.headline))


def _store_row(holding: Holding) -> tuple[str, ...]:
    policy = holding.store.retention
    return (
        holding.store.name,
        str(len(holding.sealed)),
        f"{policy.min} to {policy.max}" if policy else "all",
        holding.sealed[-1].name if holding.sealed else "none",
        size(holding.contents.space.free) if holding.contents and holding.contents.space else "?",
        one_line(holding.error) or _state(holding),
    )


def _state(holding: Holding) -> str:
    from runner.jobs.retention.room import state

    return ", ".join(state(holding.contents, holding.store.retention) if holding.contents else ()) or "good"


def _runway(holding: Holding) -> str:
    from runner.jobs.retention.runway import growth, runway

    space = holding.contents.space if holding.contents else None
    return runway(growth(holding.sealed), space, holding.store.retention).words()


def _proven(holding: Holding, now: datetime) -> str:
    from runner.jobs.snapshots.proven import ages

    return ages(holding.contents.proven, now) if holding.contents else ""


def _json(
    site: Site, last: Mapping[str, JobLine | None], upcoming: Mapping[str, datetime], holdings: Sequence[Holding]
) -> dict[str, Any]:
    jobs = {
        job.name: {
            "verdict": ended.verdict.value if (ended := last[job.name]) else None,
            "ended": ended.ended if ended else None,
            "instant": ended.instant if ended else None,
            "headline": ended.headline if ended else "",
            "next": upcoming.get(job.name),
        }
        for job in site.jobs
    }
    stores = {
        holding.store.name: {
            "snapshots": len(holding.sealed),
            "newest": holding.sealed[-1].name if holding.sealed else None,
            "error": holding.error,
            "state": one_line(holding.error) or _state(holding),
            "runway": _runway(holding),
            "proven": {sort: each.at for sort, each in holding.contents.proven.items()} if holding.contents else {},
        }
        for holding in holdings
    }
    return {"site": site.name, "live": site.live, "jobs": jobs, "stores": stores}
