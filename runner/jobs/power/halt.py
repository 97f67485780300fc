"""Kind `halt`: a host is switched off to be moved or unplugged, with everything on its disks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from runner.jobs.bundled import Bundled
from runner.jobs.power import before, locks, window
from runner.jobs.power.halt_steps import Halt, halt_steps
from runner.jobs.power.locks import Concerned
from runner.jobs.power.reboot import refused, told
from runner.jobs.power.window import When, Wrong
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.options import HaltOptions
from runner.model.plan import Lock, PlannedJob, Skip
from runner.model.site import Job, Site


class HaltKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "halt"
    options = HaltOptions

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """Look at the host as before a reboot, and at the stores of other hosts that keep its snapshots."""
        return before.probes(site, site.host(job.host), database=False)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Sync, unmount, switch off and see that it is off, or say what forbids that now."""
        options: HaltOptions = job.options
        if not site.live:
            return Draft(skip=Skip(job=job.name, reason="the sandbox cannot be switched off"))
        found = before.read(job.host, facts)
        if isinstance(found, Wrong):
            return refused(job, (found,))
        stores = locks.concerned(site, job.host, facts)
        ended = tuple(one for one in stores if _ends(one, options))
        if ended and found.busy:
            # What is at work will be ended, or it is seen again before the host is switched off.
            found = replace(found, busy="")
        host, when = site.host(job.host), When(windows=options.window, announce=options.announce)
        known = tuple(told(
            job, (*before.doubts(site, host, found, facts), *locks.unknown(stores)),
            (
                *before.notes(host, found, facts), *map(_cut_off, ended),
                f"to start {job.host} again: {options.start}",
            ),
        ))  # fmt: skip
        wrongs = (
            *window.against(site, job, when, facts, now),
            *locks.against(stores, ending=options.stop_writers),
            *before.against(host, found),
        )
        if wrongs:
            return refused(job, wrongs, known)
        halt = Halt(
            site=site, job=job.name, host=job.host, plan=plan_id(now), boot_id=found.up.boot_id,
            systemd=found.systemd, by=window.closes(site, job, when, facts), stores=stores, ending=bool(ended),
            mounted=frozenset(one.mount for one in facts.hosts[job.host].filesystems), why=options.reason,
        )  # fmt: skip
        planned = PlannedJob(
            name=job.name, kind=self.name, after=job.after, locks=_locks(halt, ended), told=options.start
        )
        return Draft(planned=planned, steps=halt_steps(halt), findings=known)


def _ends(one: Concerned, options: HaltOptions) -> bool:
    return bool(options.stop_writers and one.found and one.found.holder and one.found.holder.plan)


def _cut_off(one: Concerned) -> str:
    holder = one.found.holder if one.found else None
    who = locks.told(holder) if holder else "somebody"
    kept = "a snapshot that is being made is kept as it is then, and the next run goes on with it"
    return f"what {who} does in store {one.store.name} is cut off: {kept}"


def _locks(halt: Halt, ended: tuple[Concerned, ...]) -> tuple[Lock, ...]:
    """The host's own, then the stores; those that are taken from somebody last, when nothing else is in the way."""
    who = f"{halt.job} of {halt.site.controller}"
    own = locks.hosts_locks(halt.site, halt.host, plan=halt.plan, who=who, until=halt.last)
    stores = sorted((one for one in halt.stores if locks.there(one)), key=lambda one: one in ended)
    return (*own, *(
        locks.store_lock(
            halt.site, one, plan=halt.plan, who=who, until=halt.until(one),
            instead=one.found.holder.plan if one in ended and one.found and one.found.holder else "",
        )
        for one in stores
    ))  # fmt: skip
