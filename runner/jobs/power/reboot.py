"""Kind `reboot`: a host is restarted when nobody is harmed by it, and looked after until all is back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from runner.jobs.bundled import Bundled
from runner.jobs.packages.families import need_reboot
from runner.jobs.power import before, reboot_need, rebooting
from runner.jobs.power.before import Before
from runner.jobs.power.reboot_need import Witness
from runner.jobs.power.rebooting import Asked
from runner.jobs.power.report import reported
from runner.jobs.power.window import Wrong
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.options import RebootOptions
from runner.model.packages import Kernel
from runner.model.plan import Finding, PlannedJob, Severity, Skip
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Job, Site


class RebootKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "reboot"
    options = RebootOptions

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """Look at the host, its filesystems, and the stores of other hosts that keep its snapshots."""
        return before.probes(site, site.host(job.host), database=job.options.database)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Reboot the host and wait for it, or say what forbids that now."""
        options: RebootOptions = job.options
        if not site.live:
            return Draft(skip=Skip(job=job.name, reason="the sandbox cannot be rebooted"))
        found = before.read(job.host, facts)
        if isinstance(found, Wrong):
            return refused(job, (found,))
        needs = needed(found, need_reboot(site.host(job.host)))
        if options.only_if_needed and not needs:
            return Draft(skip=Skip(job=job.name, reason=f"{job.host} needs no reboot"))
        asked = Asked(site=site, job=job, options=options, facts=facts, found=found)
        known = tuple(told(job, rebooting.doubts(asked), rebooting.notes(asked)))
        wrongs = rebooting.against(asked, now)
        if wrongs:
            return refused(job, wrongs, known)
        why = options.reason or "; ".join(needs) or "restart it, and see that everything comes back"
        planned = PlannedJob(name=job.name, kind=self.name, after=job.after, locks=rebooting.locks(asked))
        return Draft(planned=planned, steps=rebooting.steps(asked, why), findings=known)

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return reported(job, outcomes, around)


def needed(found: Before, patterns: Sequence[str]) -> tuple[str, ...]:
    """Why the host needs a reboot, in words; nothing where nobody says so. `patterns` are packages that need one."""
    seen = found.outdated
    return reboot_need.reasons(
        Witness(
            kernel=Kernel(running=seen.running, newest=seen.newest),
            changed=seen.changed,
            flag=seen.flag,
            pid1=seen.pid1,
        ),
        patterns,
    )


def refused(job: Job, wrongs: Iterable[Wrong], known: Iterable[Finding] = ()) -> Draft:
    """Nothing is done, for all these reasons. A refusal stops the whole plan, so a job with a schedule,
    which would take others with it, is skipped for attention instead."""
    severity: Severity = "attention" if job.schedule else "refusal"
    findings = [Finding(severity=severity, text=one.text, source=job.name, do=one.do) for one in wrongs]
    return Draft(skip=Skip(job=job.name, reason=findings[0].text), findings=(*findings, *known))


def told(job: Job, doubts: Iterable[Wrong], notes: Iterable[str]) -> Iterator[Finding]:
    """What a person should look at, and what they should know."""
    for one in doubts:
        yield Finding(severity="attention", text=one.text, source=job.name, do=one.do)
    for text in notes:
        yield Finding(severity="note", text=text, source=job.name)
