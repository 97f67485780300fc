"""Which jobs are due. Cron's five fields, read in the site's time zone; a missed time is made up once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from runner.model.cause import is_busy, of_job
from runner.model.errors import UsageError
from runner.model.plan import Finding, Forecast, Plan, Skip
from runner.model.run import Past
from runner.model.site import Job, Site
from runner.model.text import minute

MOST = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class DueJobs:
    """The jobs to plan now, in an order that respects `after`, and the others with their reason.

    `missed` is the job whose instant is not its latest any more: its state is gone, but it may have been done.
    `named` are those that a person asked for by name.
    """

    jobs: tuple[Job, ...]
    skips: tuple[Skip, ...]
    missed: str = ""
    named: tuple[str, ...] = ()


def due(site: Site, last: Mapping[str, datetime], now: datetime) -> DueJobs:
    """Every job whose latest scheduled time has come since it last succeeded (`last`, aware), for that instant.

    A job that never succeeded is due; one without a schedule runs only when it is named, and is no news.
    """
    zone = ZoneInfo(site.timezone)
    jobs: list[Job] = []
    skips: list[Skip] = []
    for job in in_order(site.jobs):
        if not job.schedule:
            continue
        reason = _not_due(job, last.get(job.name), now.astimezone(zone))
        if reason:
            skips.append(Skip(job=job.name, reason=reason))
        else:
            jobs.append(_for_latest(job, now.astimezone(zone)))
    return DueJobs(jobs=tuple(jobs), skips=tuple(skips))


def apart(due: DueJobs, looking: Collection[str]) -> tuple[DueJobs, DueJobs]:
    """The jobs that do something, and those of the kinds `looking`, which come when the others are done.

    What is due is looked at as the others leave it, so it is planned after them. Where nothing else is
    due the second is all there is.
    """
    doing = tuple(job for job in due.jobs if job.kind not in looking)
    last = tuple(job for job in due.jobs if job.kind in looking)
    return (replace(due, jobs=doing), replace(due, jobs=last, skips=() if doing else due.skips))


def named(site: Site, names: Sequence[str]) -> DueJobs:
    """The named jobs and all that they come after, whatever their schedule. KeyError if unknown."""
    chosen: set[str] = set()
    todo = list(names)
    while todo:
        job = site.job(todo.pop())
        if job.name not in chosen:
            chosen.add(job.name)
            todo.extend(job.after)
    jobs = tuple(job for job in in_order(site.jobs) if job.name in chosen)
    return DueJobs(jobs=jobs, skips=(), named=tuple(names))


def for_somebody(due: DueJobs, skips: Sequence[Skip]) -> DueJobs:
    """Without the jobs that are only there because others come after them, where all of these are busy (`skips`).

    A dump is not made for a snapshot that will not be. What is due on its own account, or named, stays.
    """
    busy = {skip.job for skip in skips if is_busy(skip.cause)}
    if not due.named or not busy:
        return due
    by_name, wanted = {job.name: job for job in due.jobs}, set[str]()
    todo = [name for name in due.named if name not in busy]
    while todo:
        name = todo.pop()
        if name in by_name and name not in wanted:
            wanted.add(name)
            todo.extend(by_name[name].after)
    idle = [job.name for job in due.jobs if job.name not in wanted and job.name not in busy]
    reason, cause = f"it is only wanted for {', '.join(sorted(busy))}, which is busy", of_job(min(busy))
    return replace(
        due,
        jobs=tuple(job for job in due.jobs if job.name not in idle),
        skips=(*due.skips, *(Skip(job=name, reason=reason, cause=cause) for name in idle)),
    )


def left_out(due: DueJobs, plan: Plan) -> tuple[Finding, ...]:
    """A finding for each job that was asked for by name and is not in `plan`, where nothing else tells of it.

    Of one that another run is at that is told already.
    """
    known = {finding.source for finding in plan.findings if finding.severity != "note"}
    known |= {skip.job for skip in plan.skips if skip.needless or is_busy(skip.cause)}
    return tuple(
        Finding(severity="attention", source=skip.job, text=f"it was left out: {skip.reason}", cause=skip.cause)
        for skip in plan.skips
        if skip.job in due.named and skip.done is None and skip.job not in known
    )


def for_instant(site: Site, name: str, instant: datetime, now: datetime) -> DueJobs:
    """As `named` for one job, for one of its times; UsageError where `instant` is none of these, or is to come.

    A job without a schedule takes any time that has come: whoever gives it the same one twice gets it done once.
    What the job comes after is done for its own latest time or, without a schedule, for the same.
    """
    zone = ZoneInfo(site.timezone)
    job, here, there = site.job(name), now.astimezone(zone), instant.astimezone(zone)
    if instant > now:
        raise UsageError(f"--for {_shown(there)} is to come: it is {_shown(here)}", do="run it then")
    before = previous_time(job.schedule, there) if job.schedule else there
    if before.astimezone(UTC) != instant.astimezone(UTC):
        times = (before.astimezone(UTC), next_time(job.schedule, there).astimezone(UTC))
        nearest = min((time for time in times if time <= now), key=lambda time: abs(time - instant))
        text = f"--for {_shown(there)} is no time of {name}: its schedule is {job.schedule!r}"
        raise UsageError(text, do=f"the nearest is {_shown(nearest.astimezone(zone))}: {_option(nearest)}")
    jobs = tuple(
        replace(each, instant=instant) if each.name == name or not each.schedule else _for_latest(each, here)
        for each in named(site, (name,)).jobs
    )
    latest = _for_latest(job, here).instant if job.schedule else instant
    return DueJobs(jobs=jobs, skips=(), missed=name if latest != instant else "", named=(name,))


def require_not_missed(site: Site, due: DueJobs, plan: Plan) -> None:
    """UsageError where `plan` would do a job for an instant that is over: nobody can make the state of then."""
    for job in plan.jobs:
        if job.name == due.missed and job.instant:
            latest = previous_time(site.job(job.name).schedule, plan.made_at.astimezone(ZoneInfo(site.timezone)))
            text = f"{minute(job.instant, site.timezone)} is missed: {job.name} was due again since"
            do = f"what was there then is not there now; its latest time is {minute(latest, site.timezone)}:"
            raise UsageError(text, do=f"{do} {_option(latest)}")


def in_order(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """Each job behind those it comes after, otherwise as declared. The loader refused circles."""
    by_name = {job.name: job for job in jobs}
    ordered: dict[str, Job] = {}

    def place(job: Job) -> None:
        for name in job.after:
            if name not in ordered:
                place(by_name[name])
        ordered.setdefault(job.name, job)

    for job in jobs:
        place(job)
    return tuple(ordered.values())


def next_time(schedule: str, moment: datetime) -> datetime:
    """The first time after `moment` (aware, in the site's zone) that `schedule` names."""
    # In an hour that comes twice it names a time of the first one for a moment of the second.
    now = moment.astimezone(UTC)
    return next(time for time in CronSim(schedule, moment) if time.astimezone(UTC) > now)


def previous_time(schedule: str, moment: datetime) -> datetime:
    """The last time at or before `moment` (aware, in the site's zone) that `schedule` names."""
    # A whole minute on: from half past, the next one would be named before it has come. In UTC, since
    # a zone's own clock does not count minutes where it is put forward or back.
    now = moment.astimezone(UTC)
    after = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    last = next(CronSim(schedule, after.astimezone(moment.tzinfo), reverse=True))
    # Going back through an hour that comes twice it knows the second one only.
    while (following := next_time(schedule, last)).astimezone(UTC) <= now:
        last = following
    return last


def instant_words(instant: datetime) -> tuple[str, str]:
    """The words with which `runner plan` and `runner run` are asked for that instant."""
    return "--for", f"{instant.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def _for_latest(job: Job, now: datetime) -> Job:
    """The job for its latest scheduled time at or before `now` (aware, in the site's zone)."""
    return replace(job, instant=previous_time(job.schedule, now).astimezone(UTC))


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z}"


def _option(instant: datetime) -> str:
    return " ".join(instant_words(instant))


def _not_due(job: Job, last: datetime | None, now: datetime) -> str | None:
    # Compared in UTC: two moments of one zone are compared by wall clock, which repeats in autumn.
    # A success in the future is one under a clock that was ahead: it proves nothing.
    ahead = last is not None and last.astimezone(UTC) > now.astimezone(UTC)
    if last is None or ahead or last.astimezone(UTC) < previous_time(job.schedule, now).astimezone(UTC):
        return None
    return f"not due until {next_time(job.schedule, now):%Y-%m-%d %H:%M %Z}"


def forecast(past: Sequence[Past]) -> Forecast:
    """The median of the past runs (newest first, at most `MOST`), without the first that there ever was.

    The first copies everything and says nothing of a day: from it alone only the number of runs is known.
    """
    from statistics import median  # noqa: PLC0415 (10 ms that only a plan should take)

    daily = past if len(past) >= MOST else past[:-1]
    if not daily:
        return Forecast(runs=len(past))
    return Forecast(
        bytes=int(median(run.bytes for run in daily)),
        files=int(median(run.files for run in daily)),
        seconds=float(median(run.seconds for run in daily)),
        runs=len(past),
    )
