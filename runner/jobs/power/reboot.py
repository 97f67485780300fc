"""Kind `reboot`: a host is restarted when nobody is harmed by it, and looked after until all is back."""

from __future__ import annotations

from datetime import datetime

from runner.jobs.bundled import Bundled
from runner.jobs.packages.families import need_reboot
from runner.jobs.power import before, reboot_need, rebooting
from runner.jobs.power.report import power_report
from runner.jobs.power.request import RebootRequest, refused
from runner.jobs.power.window import Objection
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.options import RebootOptions
from runner.model.plan import PlannedJob, Skip
from runner.model.site import Job, Site
from runner.report.default import or_default


class RebootKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "reboot"
    options = RebootOptions
    report = staticmethod(or_default(power_report))

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """Look at the host, its filesystems, and the stores of other hosts that keep its snapshots."""
        return before.probes(site, site.host(job.host), database=job.options.database)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Reboot the host and wait for it, or say what forbids that now."""
        options: RebootOptions = job.options
        if not site.live:
            return Draft(skip=Skip(job=job.name, reason="the sandbox cannot be rebooted"))
        here = before.read(job.host, facts)
        if isinstance(here, Objection):
            return refused(job, (here,))
        needs = reboot_need.reasons(here.outdated, need_reboot(site.host(job.host)))
        if options.only_if_needed and not needs:
            return Draft(skip=Skip(job=job.name, reason=f"{job.host} needs no reboot", needless=True))
        request = RebootRequest(site=site, job=job, options=options, facts=facts, before=here)
        known, objections = rebooting.known(request), rebooting.against(request, now)
        if objections:
            return refused(job, objections, known)
        why = options.reason or "; ".join(needs) or "restart it, and see that everything comes back"
        planned = PlannedJob(name=job.name, kind=self.name, after=job.after, locks=rebooting.locks(request))
        return Draft(planned=planned, steps=rebooting.steps(request, why), findings=known)
