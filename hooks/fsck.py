"""Says which filesystems the next boot checks, why and for how long: a check takes hours, and none is worse.

It reads the superblock of every disk in jobs.toml, and of all ext filesystems where a host is to be
rebooted. With `when_due = "forward"` a reboot checks a disk that is due before, while the host is
up; with "defer" that one boot passes without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hooks import fsck_findings, fsck_steps
from runner.hookspecs import hookimpl
from runner.jobs.power import agent_checks
from runner.model.facts import Facts, Probe
from runner.model.plan import Finding, Insertion, Plan, PlannedJob, Step
from runner.model.site import Site

# Kinds of jobs that end a boot: only then is it worth half a second to see how fast a disk is.
ENDS_BOOT = ("reboot", "upgrade", "halt")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fsck:
    """The hook; `when_due` is what it does about a check that is due."""

    when_due: str

    @hookimpl
    def declare_probes(self, site: Site) -> Sequence[Probe]:
        """Ask each host that has a disk, or a job that reboots it, for all that decides about checks."""
        ends = {job.host for job in site.jobs if job.kind in ENDS_BOOT}
        disks = {host.name: [disk.device for disk in site.disks if disk.host == host.name] for host in site.hosts}
        return tuple(
            agent_checks.probe(host, devices, speed=host in ends)
            for host, devices in disks.items()
            if devices or host in ends
        )

    @hookimpl
    def add_steps(self, site: Site, job: PlannedJob, steps: tuple[Step, ...], facts: Facts) -> Sequence[Insertion]:
        """Around a reboot: check what is due before it, or switch the check off until the host is back."""
        if not site.live or self.when_due not in ("forward", "defer"):
            return ()
        return fsck_steps.insertions(site, job, steps, facts, self.when_due)

    @hookimpl
    def check_plan(self, site: Site, plan: Plan, facts: Facts) -> Sequence[Finding]:
        """Say of every disk what the next boot does to it; where the plan reboots, of every filesystem.

        A plan of no job in jobs.toml, such as a restore or a pin, had no disk read for it: there is nothing to say.
        """
        if plan.jobs and {job.name for job in plan.jobs}.isdisjoint(job.name for job in site.jobs):
            return ()
        return tuple(fsck_findings.findings(site, plan, facts, self.when_due))


def plugin(settings: Mapping[str, Any]) -> Fsck:
    """Make the hook from its table in jobs.toml."""
    return Fsck(when_due=str(settings.get("when_due", "tell")))
