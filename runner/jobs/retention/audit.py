"""Kind `audit`: a share of a store is read again each night, and compared with what was once sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runner.jobs.bundled import Bundled, unusable
from runner.jobs.retention.report import audit_report
from runner.jobs.retention.steps import place as place_of
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.options import AuditOptions
from runner.model.plan import Command, Effect, Lock, PlannedJob, Skip, Step
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Job, Site
from runner.tools import agent as tool

_TO_END = 900


class AuditKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "audit"
    options = AuditOptions

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """None: store facts are enough."""
        return ()

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """One step that reads as much as a night allows, going on where the last one stopped."""
        wanted: AuditOptions = job.options
        place = site.store(wanted.store)
        found = facts.hosts[place.host].stores[place.name]
        if skipped := unusable(job, place, found, "put that right and run again"):
            return skipped
        if not found.sealed:
            return Draft(skip=Skip(job=job.name, reason="there is no snapshot to audit yet"))
        where = place_of(site, job.name, place, found, plan_id(now))
        share = tool.Share(
            bytes=wanted.most.bytes or 0, seconds=int(wanted.within.total_seconds()), every=max(wanted.every.days, 1)
        )
        step = Step(
            id=f"{job.name}/read",
            role=Role.AUDIT,
            job=job.name,
            host=place.host,
            effect=Effect.WRITE,
            action=Command(argv=tool.audit(where.at, share)),
            timeout=share.seconds + _TO_END,
            why="read a share of the store again: is everything as it was sealed",
        )
        lock = Lock(
            resource=f"store {place.name}",
            host=place.host,
            argv=tool.hold(where.at, who=f"{job.name} of {site.controller}"),
        )
        return Draft(planned=PlannedJob(name=job.name, kind=self.name, after=job.after, locks=(lock,)), steps=(step,))

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return audit_report(job, outcomes, around)
