"""Kind `prune`: the oldest snapshots of a store expire, by count, by room, by thinning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runner.jobs.bundled import Bundled, unusable
from runner.jobs.retention import pruning, retention
from runner.model.facts import Facts, Probe, Snapshot
from runner.model.kind import Draft, PruneOptions
from runner.model.names import plan_id
from runner.model.plan import Command, Effect, Finding, Lock, PlannedJob, Step
from runner.model.site import Job, Site, Store
from runner.tools import agent as tool


class PruneKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "prune"
    options = PruneOptions

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """None: store facts are enough."""
        return ()

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """What expires now, oldest first; a skip with the reason where nothing does."""
        place = site.store(job.options.store)
        found = facts.hosts[place.host].stores[place.name]
        if skipped := unusable(
            job, place, found, "nothing was removed from it; put that right and run again"
        ):
            return skipped
        sealed = pruning.counted(found)
        decision = pruning.careful(retention.decide(sealed, place.retention, found.space, now), found.space)
        where = pruning.place(site, job.name, place, found, plan_id(now))
        findings = pruning.findings(where, decision)
        steps = (
            *pruning.steps(where, decision, has_trash=bool(found.trash)),
            *_measure(where, place, sealed, decision),
        )
        if not steps:
            return _nothing(where, decision, job, findings)
        lock = Lock(
            resource=f"store {place.name}", host=place.host,
            argv=tool.hold(where.at, who=f"{job.name} of {site.controller}"),
        )  # fmt: skip
        told = pruning.told(decision)
        planned = PlannedJob(name=job.name, kind=self.name, after=job.after, locks=(lock,), told=told)
        return Draft(planned=planned, steps=steps, findings=findings)


def _nothing(
    where: pruning.Place, decision: retention.Decision, job: Job, findings: tuple[Finding, ...]
) -> Draft:
    step = Step(
        id=f"{job.name}/count", job=job.name, host=where.host, effect=Effect.READ,
        action=Command(argv=tool.newest(where.at)), why="count the sealed snapshots and what is free",
    )  # fmt: skip
    planned = PlannedJob(name=job.name, kind="prune", after=job.after, told=pruning.told(decision))
    return Draft(planned=planned, steps=(step,), findings=findings)


def _measure(
    where: pruning.Place, place: Store, sealed: Sequence[Snapshot], decision: retention.Decision
) -> tuple[Step, ...]:
    """Measure what the oldest would free, for the next plans, where that is not known and may be asked."""
    spare = place.retention is not None and len(sealed) > place.retention.min
    gone = {one.snapshot.name for one in decision.expire}
    rest = sorted((one for one in sealed if one.name not in gone), key=lambda one: one.name)
    # Two ahead, so that neither the next prune nor a shortage has to measure before it can decide.
    known = all(one.freed_bytes is not None for one in rest[:2])
    if not spare or decision.unmeasured or known:
        return ()
    return (
        Step(
            id=f"{where.job}/measure", job=where.job, host=where.host, effect=Effect.WRITE,
            action=Command(argv=tool.measure_freed(where.at)), timeout=pruning.MEASURE_PATIENCE,
            why="measure what expiring the oldest would free, for the next plan",
        ),
    )  # fmt: skip
