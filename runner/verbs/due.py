"""Which jobs a run is for, and for which instant: those that are named or due, without what was done for it before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from runner.config.complaints import nearest, no_such
from runner.engine.journal import Journal
from runner.model.cause import is_busy, of_run
from runner.model.errors import UsageError
from runner.model.plan import Finding, Plan, PlannedJob, Skip
from runner.model.run import Reporter
from runner.model.site import Job, Site
from runner.model.text import minute
from runner.planning import schedule
from runner.planning.schedule import DueJobs


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """What a person or cron asks of a run: these jobs (empty: what is due), confirmed with --yes or not.

    `packages` are the only ones that the jobs of kind `upgrade` among them shall upgrade. `instant` is the
    scheduled time that the one job is asked for. `new_machines` are hosts that are other machines from now on.
    """

    jobs: tuple[str, ...] = ()
    confirmed: bool = False
    packages: tuple[str, ...] = ()
    instant: datetime | None = None
    new_machines: tuple[str, ...] = ()


class DueDesk(Protocol):
    """What is needed of the app."""

    site: Site
    kinds: Mapping[str, Reporter]

    @property
    def journal(self) -> Journal:
        """What was done."""

    def now(self) -> datetime:
        """The time, UTC."""


def asked(desk: DueDesk, request: RunRequest) -> DueJobs:
    """What is to be planned: the named jobs, or what is due; UsageError for what is not in jobs.toml.

    Without what was done for its instant, as far as the journal is where that is known.
    """
    site, names = desk.site, request.jobs
    require_possible(site, request)
    _require_here(site)
    if request.instant:
        chosen = schedule.for_instant(site, names[0], request.instant, desk.now())
    elif names or request.packages:
        chosen = schedule.named(site, names)
    else:
        chosen = schedule.due(site, desk.journal.last_success(), desk.now())
    return _free(desk, _undone(desk, narrowed(chosen, request.packages) if request.packages else chosen))


def _free(desk: DueDesk, due: DueJobs) -> DueJobs:
    """Without the jobs that another run is at, or will come to: they would be busy, or be done twice."""
    zone, taken = desk.site.timezone, {}
    for run in desk.journal.alive():
        for job in desk.journal.progress.of(run.id):
            if not job.verdict:
                begun = f"is at step {job.step} of it" if job.is_running else "will come to it"
                reason = f"busy: the run that began at {minute(run.started, zone)} {begun}"
                taken[job.job] = Skip(job=job.job, reason=reason, cause=of_run(run.id))
    skips = tuple(taken[job.name] for job in due.jobs if job.name in taken)
    free = replace(due, jobs=tuple(job for job in due.jobs if job.name not in taken), skips=(*due.skips, *skips))
    return schedule.for_somebody(free, skips)


def busy(due: DueJobs, plan: Plan) -> tuple[Finding, ...]:
    """What who named a job should know of the run that is at it, once for each such run.

    Nobody has to do anything about a job that is due and is being done: that is no more than a reason in the plan.
    """
    known = {finding.source for finding in plan.findings if finding.severity != "note"}
    do = "wait until it has ended; `runner status` tells how far it is"
    runs = {
        skip.cause: Finding(severity="attention", source=skip.job, text=skip.reason, do=do, cause=skip.cause)
        for skip in reversed(due.skips)
        if is_busy(skip.cause) and skip.job in due.named and skip.job not in known
    }
    return tuple(runs.values())


def _undone(desk: DueDesk, due: DueJobs) -> DueJobs:
    done = {job.name: (job.instant, at) for job in due.jobs if job.instant and (at := done_at(desk, job, job.instant))}
    zone = desk.site.timezone
    skips = tuple(
        Skip(job=name, reason=f"already done for {minute(instant, zone)}, at {minute(at, zone)}", done=at)
        for name, (instant, at) in done.items()
    )
    return replace(due, jobs=tuple(job for job in due.jobs if job.name not in done), skips=(*due.skips, *skips))


def done_at(desk: DueDesk, job: Job | PlannedJob, instant: datetime, *, but: str = "") -> datetime | None:
    """When a run (any `but` this one) did the job for `instant`; None if none did, or where a record tells that."""
    records = getattr(desk.kinds.get(job.kind), "records", False)
    return None if records else desk.journal.instants.done(job.name, instant, but=but)


def cut_off(desk: DueDesk, plan: Plan) -> tuple[Finding, ...]:
    """What was begun for the same instant before, and did not end: this plan takes it up."""
    zone = desk.site.timezone
    begun = [(job, desk.journal.instants.unended(job.name, job.instant)) for job in plan.jobs if job.instant]
    lines = [(job, line) for job, run in begun if run and (line := desk.journal.line(run)) and line.cut_off]
    text = "it was begun at {at} for the same time, and did not end; this plan takes it up"
    return tuple(
        Finding(severity="note", source=job.name, text=text.format(at=minute(line.started, zone)))
        for job, line in lines
    )


def narrowed(due: DueJobs, packages: tuple[str, ...]) -> DueJobs:
    """The same jobs, those of kind `upgrade` for these packages only; UsageError where there is none."""
    jobs = tuple(
        replace(job, options=replace(job.options, packages=packages)) if job.kind == "upgrade" else job
        for job in due.jobs
    )
    if jobs == due.jobs:
        raise UsageError("--package is for jobs of kind upgrade", do="name such a job: runner run JOB --package NAME")
    return replace(due, jobs=jobs)


def require_possible(site: Site, request: RunRequest) -> None:
    """UsageError where it asks for what no run can do; nothing is asked of a host or the journal for that."""
    _require_known(site, request.jobs)
    if request.instant and len(request.jobs) != 1:
        raise UsageError("--for is for one job", do="name it: runner run JOB --for TIME")
    if request.packages:
        narrowed(schedule.named(site, request.jobs), request.packages)
    require_hosts(site, request.new_machines)


def require_hosts(site: Site, new_machines: Sequence[str]) -> None:
    """UsageError for what can be no new machine: no host of jobs.toml, or one of the sandbox."""
    names = [host.name for host in site.hosts]
    for name in new_machines:
        if name not in names:
            raise UsageError(no_such("host", name, names), do="name a host of jobs.toml")
    if new_machines and not site.live:
        raise UsageError("in the sandbox this machine plays every host", do="leave --new-machine out")


def _require_known(site: Site, names: Sequence[str]) -> None:
    """UsageError for a name that no job has, or one that is started on another host."""
    known = {job.name for job in site.jobs}
    for job in site.elsewhere:
        if job.name in names:
            raise UsageError(f"{job.name} is started on {job.runs_on}, by `runs_on`", do="run it there")
    unknown = [name for name in names if name not in known]
    if unknown:
        alike = [no_such("job", name, sorted(known)) for name in unknown if nearest(name, known)]
        # The list of all is long, and is there once.
        strange = " or ".join(repr(name) for name in unknown if not nearest(name, known))
        texts = [*alike, *([f"there is no job {strange}; known: {', '.join(sorted(known))}"] if strange else [])]
        raise UsageError("; ".join(texts), do="name a job of jobs.toml")


def _require_here(site: Site) -> None:
    """UsageError where jobs.toml starts no job at all on this host."""
    if site.elsewhere and not site.jobs:
        here, starters = site.controller, {job.runs_on for job in site.elsewhere}
        raise UsageError(
            f"this machine is {here}, and jobs.toml starts no job on it",
            do=f"run it on {' or '.join(sorted(starters))}; if this is not {here}: --here HOST",
        )
