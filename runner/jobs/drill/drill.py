"""Kind `drill`: what a backup is worth is seen by restoring it: files and database, from the store itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from runner.jobs.bundled import Bundled, unusable
from runner.jobs.drill import agent
from runner.jobs.drill import steps as drill_database
from runner.jobs.drill import steps as drill_files
from runner.jobs.drill.report import drill_report
from runner.jobs.drill.steps import Work
from runner.jobs.retention import prune, retention
from runner.jobs.retention import steps as expiring
from runner.jobs.snapshots import proven as rules
from runner.model.facts import Facts, StoreFacts
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.options import DrillOptions, SnapshotOptions
from runner.model.plan import Command, Effect, Finding, Lock, PlannedJob, Skip, Step
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Host, Job, Site, Store
from runner.report.default import default_report
from runner.tools import agent as tool

_NO_DATABASE = "the sandbox has no database: only files are tried"


class DrillKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "drill"
    options = DrillOptions

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """A scratch folder, the files, the database, and nothing left of it but what was proven."""
        wanted: DrillOptions = job.options
        place = site.store(wanted.store)
        found = facts.hosts[place.host].stores[place.name]
        if skipped := unusable(job, place, found, "put that right; until then nothing can be restored from it"):
            return skipped
        names = _names(place, found, now)
        if not names:
            return Draft(skip=Skip(job=job.name, reason="there is no snapshot to restore from yet"))
        source = _source(site, place, found)
        known = facts.hosts.get(source.name) if source else None
        if source is None or known is None or known.error:
            why = (
                f"{source.name} cannot be read: {known.error if known else 'it was not asked'}"
                if source
                else (f"no job writes store {place.name}, so there is no host to restore to")
            )
            finding = Finding(severity="attention", source=job.name, text=why)
            return Draft(skip=Skip(job=job.name, reason=why), findings=(finding,))
        work = _work(site, job, (place, found, source), names, now)
        steps, findings = _steps(work, facts)
        lock = Lock(
            resource=f"drill on {source.name}",
            host=source.name,
            argv=work.scratch.hold(f"{job.name} of {site.controller}"),
        )
        reading = Lock(
            resource=f"reading {place.name}",
            host=place.host,
            argv=agent.reading(tool.program(work.keeper), found.path, work.snapshots),
        )
        planned = PlannedJob(
            name=job.name, kind=self.name, after=job.after, locks=(lock, reading), headline=f"seed {work.seed}"
        )
        return Draft(planned=planned, steps=steps, findings=findings)

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return drill_report(job, outcomes) or default_report(job, outcomes, around)


def _steps(work: Work, facts: Facts) -> tuple[tuple[Step, ...], tuple[Finding, ...]]:
    room = work.step(
        "room",
        work.source.name,
        Command(argv=work.scratch.make(work.options.most.bytes or 0)),
        Effect.WRITE,
        f"a scratch folder: {work.scratch.folder}",
    ).known_as(Role.ROOM)
    made = [room, *drill_files.steps(work, facts)]
    findings: tuple[Finding, ...] = ()
    if work.options.database and not work.site.live:
        findings = (Finding(severity="note", source=work.job.name, text=_NO_DATABASE),)
    elif work.options.database and (problem := drill_database.wrong(work)):
        findings = (problem,)
    elif work.options.database:
        made += drill_database.steps_drill_database(work, facts, (work.id("compare"), work.id("proven-files")))
    clear = work.step(
        "clear", work.source.name, Command(argv=work.scratch.remove()), Effect.WRITE, "remove all that was restored"
    ).known_as(Role.CLEAR)
    # It also undoes what a failed step left, and what was begun when somebody stopped the run.
    return (*made, replace(clear, despite=tuple(one.id for one in made), timeout=drill_files.DAY)), findings


def _work(site: Site, job: Job, parts: tuple[Store, StoreFacts, Host], names: tuple[str, ...], now: datetime) -> Work:
    place, found, source = parts
    options: DrillOptions = job.options
    plan = plan_id(now)
    seed = options.seed or plan
    scratch = agent.Scratch(
        program=tool.program(source),
        folder=source.at(options.scratch.rstrip("/")),
        plan=plan,
        run=source.at("/run/lock/runner") if source.root else "",
    )
    return Work(
        site=site,
        job=job,
        place=place,
        found=found,
        at=expiring.place(site, job.name, place, found, plan).at,
        source=source,
        scratch=scratch,
        snapshots=rules.choose(names, seed),
        seed=seed,
        when=now.isoformat(),
    )


def _names(place: Store, found: StoreFacts, now: datetime) -> tuple[str, ...]:
    """The snapshots to choose from: not those that a job of the same night may be about to expire."""
    sealed = prune.counted(found)
    going = {one.snapshot.name for one in retention.decide(sealed, place.retention, found.space, now).expire}
    return tuple(one.name for one in sealed if one.name not in going)


def _source(site: Site, place: Store, found: StoreFacts) -> Host | None:
    """The host whose snapshots these are: that of the job that makes them, or what the newest says."""
    jobs = [one for one in site.jobs if isinstance(one.options, SnapshotOptions)]
    names = [one.host for one in jobs if one.options.store == place.name]
    names += [one.host for one in reversed(found.sealed) if one.host]
    known = {one.name: one for one in site.hosts}
    return next((known[name] for name in names if name in known), None)
