"""Kind `drill`: what a backup is worth is seen by restoring it: files and database, from the store itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from runner.jobs.bundled import Bundled, unusable
from runner.jobs.drill import agent, steps
from runner.jobs.drill.report import drill_report
from runner.jobs.drill.steps import Drill
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
        store = site.store(job.options.store)
        known = facts.hosts[store.host].stores[store.name]
        if skipped := unusable(job, store, known, "put that right; until then nothing can be restored from it"):
            return skipped
        names = _names(store, known, now)
        if not names:
            return Draft(skip=Skip(job=job.name, reason="there is no snapshot to restore from yet"))
        source = _source(site, store, known)
        if source is None:
            return _cannot(job, f"no job writes store {store.name}, so there is no host to restore to")
        host = facts.hosts.get(source.name)
        if host is None or host.error:
            return _cannot(job, f"{source.name} cannot be read: {host.error if host else 'it was not asked'}")
        plan = plan_id(now)
        seed = job.options.seed or plan
        scratch = agent.Scratch(
            program=tool.program(source),
            folder=source.at(job.options.scratch.rstrip("/")),
            plan=plan,
            run=source.at("/run/lock/runner") if source.root else "",
        )
        drill = Drill(
            site=site,
            job=job,
            store=store,
            facts=known,
            at=expiring.place(site, job.name, store, known, plan).at,
            source=source,
            scratch=scratch,
            snapshots=rules.choose(names, seed),
            seed=seed,
            when=now.isoformat(),
        )
        made, findings = _steps(drill, facts)
        held = Lock(
            resource=f"drill on {source.name}", host=source.name, argv=scratch.hold(f"{job.name} of {site.controller}")
        )
        reading = Lock(
            resource=f"reading {store.name}",
            host=store.host,
            argv=agent.reading(tool.program(drill.keeper), known.path, drill.snapshots),
        )
        planned = PlannedJob(name=job.name, kind=self.name, after=job.after, locks=(held, reading), told=f"seed {seed}")
        return Draft(planned=planned, steps=made, findings=findings)

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return drill_report(job, outcomes) or default_report(job, outcomes, around)


def _cannot(job: Job, why: str) -> Draft:
    finding = Finding(severity="attention", source=job.name, text=why)
    return Draft(skip=Skip(job=job.name, reason=why), findings=(finding,))


def _steps(drill: Drill, facts: Facts) -> tuple[tuple[Step, ...], tuple[Finding, ...]]:
    host, scratch, database = drill.source.name, drill.scratch, drill.options.database
    make = Command(argv=scratch.make(drill.options.most.bytes or 0))
    room = drill.step("room", host, make, Effect.WRITE, f"a scratch folder: {scratch.folder}").known_as(Role.ROOM)
    made = [room, *steps.steps_files(drill, facts)]
    findings: tuple[Finding, ...] = ()
    if database and not drill.site.live:
        findings = (Finding(severity="note", source=drill.job.name, text=_NO_DATABASE),)
    elif database and (problem := steps.wrong(drill)):
        findings = (problem,)
    elif database:
        made += steps.steps_database(drill, facts, (drill.id("compare"), drill.id("proven-files")))
    remove = Command(argv=scratch.remove())
    clear = drill.step("clear", host, remove, Effect.WRITE, "remove all that was restored").known_as(Role.CLEAR)
    # It also undoes what a failed step left, and what was begun when somebody stopped the run.
    return (*made, replace(clear, despite=tuple(step.id for step in made), timeout=steps.DAY)), findings


def _names(store: Store, facts: StoreFacts, now: datetime) -> tuple[str, ...]:
    """The snapshots to choose from: not those that a job of the same night may be about to expire."""
    sealed = prune.counted(facts)
    decision = retention.decide(sealed, store.retention, facts.space, now)
    going = {expired.snapshot.name for expired in decision.expire}
    return tuple(snapshot.name for snapshot in sealed if snapshot.name not in going)


def _source(site: Site, store: Store, facts: StoreFacts) -> Host | None:
    """The host whose snapshots these are: that of the job that makes them, or the one that the newest names."""
    jobs = [job for job in site.jobs if isinstance(job.options, SnapshotOptions)]
    names = [job.host for job in jobs if job.options.store == store.name]
    names += [snapshot.host for snapshot in reversed(facts.sealed) if snapshot.host]
    hosts = {host.name: host for host in site.hosts}
    return next((hosts[name] for name in names if name in hosts), None)
