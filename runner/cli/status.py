"""runner status: what runs now, how each job ended last, when it is due, what the stores hold."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from runner.cli.opening import opened
from runner.cli.terminal.show import show, show_json
from runner.model.copies import under_way
from runner.model.errors import FactsIncomplete
from runner.model.run import JobLine, Verdict
from runner.model.site import Job, Site
from runner.model.text import count, length, one_line, size
from runner.report.line import Line, Style, line

if TYPE_CHECKING:
    from runner.engine.journal import Journal, RunLine
    from runner.engine.progress import JobNow
    from runner.model.facts import Announced
    from runner.verbs.browse import Holding

_STYLES: dict[Verdict | None, Style] = {
    Verdict.NOTHING: "good",
    Verdict.DONE: "good",
    Verdict.ATTENTION: "warn",
    Verdict.FAILED: "bad",
    None: "dim",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Status:
    """All that is shown. `due` are the jobs whose time has come, each with that time; `running` are the runs that are
    under way, each with its jobs; `killed` are the jobs that were killed and have not run since.
    `undelivered` is how many reports people have not got yet.
    """

    site: Site
    now: datetime
    last: Mapping[str, JobLine | None]
    upcoming: Mapping[str, datetime]
    due: Mapping[str, datetime]
    announced: Mapping[str, Announced]
    holdings: Sequence[Holding]
    running: Sequence[tuple[RunLine, Sequence[JobNow]]]
    killed: frozenset[str]
    undelivered: int

    def at(self, moment: datetime) -> str:
        """A time as the clocks of the site show it."""
        return f"{moment.astimezone(self.now.tzinfo):%a %d %b %H:%M}"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which form."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print it; 3 where a store could not be read."""
    from runner.engine import undelivered
    from runner.planning.schedule import due, next_time
    from runner.verbs import browse

    with opened(options) as app:
        now = app.now().astimezone(ZoneInfo(app.site.timezone))
        waiting = due(app.site, app.journal.last_success(), now).jobs
        status = _Status(
            site=app.site,
            now=now,
            last={job.name: app.journal.last_of(job.name) for job in app.site.jobs},
            upcoming={job.name: next_time(job.schedule, now) for job in app.site.jobs if job.schedule},
            due={job.name: job.instant for job in waiting if job.instant},
            announced=app.journal.announcements.coming(),
            holdings=browse.holdings(app),
            running=[(run, app.journal.progress.of(run.id)) for run in app.journal.alive()],
            killed=_killed(app.journal, [job.name for job in app.site.jobs]),
            undelivered=undelivered.waiting(Path(app.site.state)),
        )
    if options.json:
        show_json(_json(status))
    else:
        mode = "live" if status.site.live else "sandbox"
        show([line((status.site.name, "name"), f"  {mode}, controller {status.site.controller}")])
        if status.undelivered:
            text = f"{count(status.undelivered, 'report')} could not be delivered yet; the next run tries again"
            show([line(), line((text, "warn"))])
        show([*_running(status), *_jobs(status), *_stores(status)])
    return FactsIncomplete.code if any(holding.error for holding in status.holdings) else 0


def _killed(journal: Journal, jobs: Collection[str]) -> frozenset[str]:
    """Of these jobs those that were begun last in a run that was killed before they ended."""
    killed, unknown = set[str](), set(jobs)
    for run in journal.cut_off():
        ended = journal.progress.ended_since(run.id)
        begun = {job.job for job in journal.progress.of(run.id) if job.is_running}
        killed |= unknown & begun - ended
        unknown -= begun | ended
        if not unknown:
            break
    return frozenset(killed)


def _running(status: _Status) -> list[Line]:
    """Each run that is under way: which job, how far, for how long, and how long still."""
    lines = []
    for run, jobs in status.running:
        took = length(max(status.now - run.started, timedelta(0)))
        lines += [line(), line(("Under way", "head"), f"  since {status.at(run.started)}, for {took}")]
        for job in jobs:
            if job.started and job.is_running:
                lines.append(line("  ", (job.job, "name"), f"  {_far(job, job.started, status.now)}"))
        waiting = [job.job for job in jobs if job.started is None and not job.verdict]
        lines += [line("  then  ", ", ".join(waiting))] if waiting else []
        lines += [] if jobs else [line("  it reads the hosts, to plan")]
    return lines


def _far(job: JobNow, started: datetime, now: datetime) -> str:
    text = f"step {job.number} of {job.of} ({job.step}), for {length(max(now - started, timedelta(0)))}"
    if job.usual is None:
        return f"{text}; how long it takes is not known before it was done once"
    left = job.left(now)
    usual = f"it takes {length(job.usual)} as a rule"
    return f"{text}; about {length(left)} left" if left is not None else f"{text}; {usual}, and is late"


def _jobs(status: _Status) -> list[Line]:
    """A line a job, and below it what it said last: that is as long as it is. Those that only wait are named."""
    from runner.jobs.catalogue import only_live

    never = [job for job in status.site.jobs if not status.last[job.name] and job.name not in status.killed]
    absent = [job.name for job in never if not status.site.live and only_live(job.kind)]
    idle = [job.name for job in never if job.name not in absent and _due(status, job) == ""]
    jobs = [job for job in status.site.jobs if job.name not in (*absent, *idle)]
    names = [job.name for job in (*jobs, *status.site.elsewhere)]
    wide = max(map(len, names), default=0)
    lines = [line(), line(("Jobs", "head"))]
    for job in jobs:
        last = status.last[job.name]
        verdict, style = (last.verdict.value, _STYLES[last.verdict]) if last else ("never run", _STYLES[None])
        ago = _ago(last.ended, status.now) if last else ""
        before = ""
        if job.name in status.killed:
            before = f"before that {verdict}, {ago}: " if last else ""
            verdict, style, ago = "killed", "bad", ""
        row = line("  ", (job.name.ljust(wide), "name"), "  ", (f"{verdict:16}", style), f"  {ago:14}  ")
        lines.append((*row, (_due(status, job) or "when named", "")))
        if last:
            instant = f"for {status.at(last.instant)}: " if last.instant else ""
            lines.append(line("      ", (before + instant, "dim"), one_line(last.headline)))
    elsewhere = status.site.elsewhere
    lines += [line("  ", (job.name.ljust(wide), "name"), f"  on {job.runs_on}") for job in elsewhere]
    lines += [line("  never run, and only when named: ", ", ".join(idle))] if idle else []
    return [*lines, line("  not in the sandbox: ", ", ".join(absent))] if absent else lines


def _ago(ended: datetime, now: datetime) -> str:
    return f"{' '.join(length(now - ended).split()[:2])} ago" if ended <= now else "ahead of clock"


def _due(status: _Status, job: Job) -> str:
    """Whether its time has come, else when it comes next; "" where it waits to be named."""
    taken = [now for _, jobs in status.running for now in jobs if now.job == job.name and not now.verdict]
    if taken:
        return "under way" if any(now.started for now in taken) else "waits in the run under way"
    if job.name in status.announced:
        return f"next {status.at(status.announced[job.name].at)}, announced"
    if job.name in status.due:
        return f"due since {status.at(status.due[job.name])}"
    return f"next {status.at(status.upcoming[job.name])}" if job.name in status.upcoming else ""


def _stores(status: _Status) -> list[Line]:
    """A line a store, and below it how it is, how long it will do, what was proven of it."""
    wide = max((len(holding.store.name) for holding in status.holdings), default=0)
    lines = [line(), line(("Stores", "head"))]
    for holding in status.holdings:
        policy = holding.store.retention
        kept = f" ({policy.min} to {policy.max})" if policy else ""
        newest = f"  newest {holding.sealed[-1].name}" if holding.sealed else ""
        free = f", {size(holding.usable.space.free)} free" if holding.usable and holding.usable.space else ""
        known = _counted(holding)
        snapshots = f"{'snapshots unknown' if known is None else count(known, 'snapshot')}{kept}"
        lines.append(line("  ", (holding.store.name.ljust(wide), "name"), f"  {snapshots}{newest}"))
        lines.append(line("      ", _state(status, holding), free))
        below = [_runway(holding) if len(holding.sealed) > 1 else "", _proven(holding, status.now), holding.history]
        lines += [line("      ", (text, "dim")) for text in below if text]
    return lines


def _counted(holding: Holding) -> int | None:
    """How many snapshots there are, without folders that have no record; None where it could not be looked."""
    without_record = sum(not snapshot.recorded for snapshot in holding.sealed)
    return None if holding.error and not holding.sealed else len(holding.sealed) - without_record


def _state(status: _Status, holding: Holding) -> tuple[str, Style]:
    """How the store is, in a word or a sentence, and whether that is good."""
    from runner.jobs.retention.room import state
    from runner.jobs.snapshots.clocks import from_the_future

    contents = holding.contents
    if holding.error or contents is None:
        return one_line(holding.error), "bad"
    if copy := under_way(contents):
        return f"copy {copy.name} is being made", "warn"
    if contents.holder:
        since = f" since {status.at(contents.holder.since)}" if contents.holder.since else ""
        return f"in use{since} by {one_line(contents.holder.who)}", "warn"
    amiss = state(contents, holding.store.retention, holding.gone)
    if later := from_the_future((snapshot.name for snapshot in holding.sealed if snapshot.recorded), status.now):
        amiss = (f"{count(len(later), 'snapshot')} from the future, so none can be made", *amiss)
    if not amiss and not _counted(holding):
        return "empty", "dim"
    return ("; ".join(amiss), "warn") if amiss else ("good", "good")


def _runway(holding: Holding) -> str:
    from runner.jobs.retention.runway import growth, runway

    space = holding.usable.space if holding.usable else None
    return runway(growth(holding.sealed), space, holding.store.retention).words()


def _proven(holding: Holding, now: datetime) -> str:
    from runner.jobs.snapshots.proven import ages, standing

    return ages(standing(holding.contents), now) if holding.contents else ""


def _proofs(holding: Holding) -> dict[str, datetime]:
    from runner.jobs.snapshots.proven import standing

    return {sort: proof.at for sort, proof in standing(holding.contents).items()} if holding.contents else {}


def _json(status: _Status) -> dict[str, Any]:
    jobs = {
        job.name: {
            "verdict": ended.verdict.value if (ended := status.last[job.name]) else None,
            "ended": ended.ended if ended else None,
            "instant": ended.instant if ended else None,
            "killed": job.name in status.killed,
            "headline": ended.headline if ended else "",
            "next": status.upcoming.get(job.name),
            "due": status.due.get(job.name),
        }
        for job in status.site.jobs
    }
    stores = {
        holding.store.name: {
            "snapshots": _counted(holding),
            "newest": holding.sealed[-1].name if holding.sealed else None,
            "error": holding.error,
            "state": _state(status, holding)[0],
            "runway": _runway(holding),
            "proven": _proofs(holding),
            "history": holding.history,
        }
        for holding in status.holdings
    }
    running = [
        {"run": run.id, "started": run.started, "jobs": [{**asdict(job), "left": job.left(status.now)} for job in now]}
        for run, now in status.running
    ]
    return {
        "site": status.site.name,
        "live": status.site.live,
        "undelivered": status.undelivered,
        "running": running,
        "jobs": jobs,
        "stores": stores,
    }
