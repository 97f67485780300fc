"""Kind `drill`: only a restore shows what a snapshot is worth: files and databases, from the store itself."""

from __future__ import annotations

from datetime import datetime

from runner.jobs.bundled import Bundled, unusable
from runner.jobs.drill.report import drill_report
from runner.jobs.drill.steps import DAY, Drill, steps_database, steps_files, wrong
from runner.jobs.retention import prune, retention
from runner.jobs.retention import steps as expiring
from runner.jobs.snapshots import proven as rules
from runner.jobs.snapshots import shell
from runner.model.cause import Fault, of_store
from runner.model.facts import Facts, StoreFacts
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.options import DrillOptions, SnapshotOptions
from runner.model.plan import Finding, Lock, PlannedJob, Skip
from runner.model.role import Role
from runner.model.site import Host, Job, Site, Store
from runner.report.default import or_default
from runner.tools import agent, detached, machines


class DrillKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "drill"
    options = DrillOptions
    report = staticmethod(or_default(drill_report))

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """A scratch folder, the files, the database, and nothing left of it but what was proven."""
        store = site.store(job.options.store)
        known = facts.hosts[store.host].stores[store.name]
        if skipped := unusable(job, store, known, "put that right; until then nothing can be restored from it"):
            return skipped
        names = _names(store, known, now)
        if not names:
            empty = of_store(store.name, Fault.EMPTY)
            return Draft(skip=Skip(job=job.name, reason="there is no snapshot to restore from yet", cause=empty))
        source = _source(site, store, known)
        if source is None:
            text = f"no job writes store {store.name}, so there is no host to restore to"
            return _skipped(Finding(severity="attention", source=job.name, text=text))
        if unread := machines.unread(site, job.name, facts, source.name):
            return _skipped(unread)
        if noise := shell.in_the_way(site, job.name, (facts.hosts[source.name], facts.hosts[store.host])):
            return _skipped(noise)
        plan = plan_id(now)
        seed = job.options.seed or plan
        drill = Drill(
            site=site,
            job=job,
            store=store,
            facts=known,
            at=expiring.place(site, job.name, store, known, plan).at,
            source=source,
            folder=source.at(job.options.scratch.rstrip("/")),
            snapshots=rules.choose(names, seed),
            seed=seed,
            when=now.isoformat(),
        )
        return _draft(drill, facts)


def _skipped(why: Finding) -> Draft:
    return Draft(skip=Skip(job=why.source, reason=why.text, cause=why.cause), findings=(why,))


def _draft(drill: Drill, facts: Facts) -> Draft:
    job, host, database = drill.job, drill.source.name, drill.options.database
    why = f"a scratch folder: {drill.folder}"
    steps = [drill.room("room", why, role=Role.ROOM), *steps_files(drill, facts)]
    finding = None
    if database and not drill.site.live:
        text = "the sandbox has no database: only files are tried"
        finding = Finding(severity="note", source=job.name, text=text)
    elif database:
        finding = wrong(drill)
        steps += () if finding else steps_database(drill, facts, (drill.id("compare"), drill.id("proven-files")))
    # It also undoes what a failed step left, and what was begun when somebody stopped the run.
    every = tuple(step.id for step in steps)
    why = "remove everything that was restored"
    steps.append(drill.room("clear", why, remove=True, role=Role.CLEAR, despite=every, timeout=DAY))
    who = f"{job.name} of {drill.site.controller}"
    hold = detached.hold_host(agent.program(drill.source), "drill", drill.at.plan, who, run=drill.locks)
    first, *others = drill.snapshots
    locks = (
        Lock(resource=f"drill on {host}", host=host, argv=hold),
        Lock(
            resource=f"reading {drill.store.name}",
            host=drill.keeper.name,
            argv=(*agent.reading(agent.program(drill.keeper), drill.facts.path, first), *others),
        ),
    )
    planned = PlannedJob(name=job.name, kind=job.kind, after=job.after, locks=locks, headline=f"seed {drill.seed}")
    return Draft(planned=planned, steps=tuple(steps), findings=(finding,) if finding else ())


def _names(store: Store, facts: StoreFacts, now: datetime) -> tuple[str, ...]:
    """The snapshots to choose from: not those that a job of the same night may be about to expire."""
    sealed = prune.counted(facts)
    decision = retention.decide_unless(facts.doubted, sealed, store.retention, facts.space, now)
    going = {expired.snapshot.name for expired in decision.expire}
    return tuple(snapshot.name for snapshot in sealed if snapshot.name not in going)


def _source(site: Site, store: Store, facts: StoreFacts) -> Host | None:
    """The host whose snapshots these are: that of the job that makes them, or the one that the newest names."""
    jobs = [job for job in site.jobs if isinstance(job.options, SnapshotOptions)]
    names = [job.host for job in jobs if job.options.store == store.name]
    names += [snapshot.host for snapshot in reversed(facts.sealed) if snapshot.host]
    hosts = {host.name: host for host in site.hosts}
    return next((hosts[name] for name in names if name in hosts), None)
