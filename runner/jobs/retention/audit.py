"""Kind `audit`: a share of a store is read again each night, and compared with what was once sealed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from runner.agent.retention.contract.audit import Audit
from runner.jobs.bundled import Bundled, unusable
from runner.jobs.retention import steps
from runner.jobs.retention.report import audit_report
from runner.model.facts import Facts
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.options import AuditOptions
from runner.model.plan import Effect, PlannedJob, Skip
from runner.model.role import Role
from runner.model.site import Job, Site

_TO_END = 900


class AuditKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "audit"
    options = AuditOptions
    report = staticmethod(audit_report)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """One step that reads as much as a night allows, going on where the last one stopped."""
        options: AuditOptions = job.options
        store = site.store(options.store)
        stored = facts.hosts[store.host].stores[store.name]
        if skipped := unusable(job, store, stored, "put that right and run again"):
            return skipped
        if not stored.sealed:
            return Draft(skip=Skip(job=job.name, reason="there is no snapshot to audit yet", needless=True))
        where = steps.place(site, job.name, store, stored, plan_id(now))
        seconds = int(options.within.total_seconds())
        at, most, every = where.at, options.most.bytes or 0, max(options.every.days, 1)
        argv = at.call("audit", Audit(at.path, at.plan, most, seconds, every, at.disk), idle=True)
        why = "read a share of the store again: is everything as it was sealed"
        step = where.step("read", Role.AUDIT, Effect.WRITE, argv, why)
        planned = PlannedJob(name=job.name, kind=self.name, after=job.after, locks=(where.lock,))
        return Draft(planned=planned, steps=(replace(step, timeout=seconds + _TO_END),))
