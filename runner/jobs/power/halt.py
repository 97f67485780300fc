"""Kind `halt`: a host is switched off to be moved or unplugged, with everything on its disks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath

from runner.jobs.bundled import Bundled
from runner.jobs.disks import e2fsck, mount
from runner.jobs.power import agent, before, boot_checks, locks, window
from runner.jobs.power.locks import Concerned
from runner.jobs.power.report import power_report
from runner.jobs.power.request import ENDS, SESSION_DIED, Request, findings, refused
from runner.jobs.power.window import Objection
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.options import HaltOptions
from runner.model.plan import Argv, Command, Effect, Ended, Lock, PlannedJob, Skip, Step, WaitFor
from runner.model.role import Role
from runner.model.site import Disk, Job, Site
from runner.report.default import or_default

# The disk takes what is still in memory; shutting down takes its time.
_SYNCS = 3600
_GOES = 900


class HaltKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "halt"
    options = HaltOptions
    report = staticmethod(or_default(power_report))

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """Look at the host as before a reboot, and at the stores of other hosts that keep its snapshots."""
        return before.probes(site, site.host(job.host), database=False)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Sync, unmount, switch off and see that it is off, or say what forbids that now."""
        options: HaltOptions = job.options
        if not site.live:
            return Draft(skip=Skip(job=job.name, reason="the sandbox cannot be switched off"))
        here = before.read(job.host, facts)
        if isinstance(here, Objection):
            return refused(job, (here,))
        halt = Halt(site=site, job=job, options=options, facts=facts, before=here)
        host, cut_off = site.host(job.host), halt.cut_off
        if cut_off:
            # What is at work will be ended, or it is seen again before the host is switched off.
            here = replace(here, busy="")
        known = findings(
            job,
            (*before.doubts(site, host, here, facts), *locks.unknown(halt.stores)),
            (*before.notes(host, here, facts), *map(_cut_off, cut_off), f"to start {job.host} again: {options.start}"),
        )
        objections = (
            *window.against(site, job, options, facts, now),
            *locks.against(halt.stores, ending=options.stop_writers),
            *before.against(host, here),
        )
        if objections:
            return refused(job, objections, known)
        planned = PlannedJob(name=job.name, kind=self.name, after=job.after, locks=_locks(halt), headline=options.start)
        return Draft(planned=planned, steps=halt_steps(halt), findings=known)


@dataclass(frozen=True, kw_only=True, slots=True)
class Halt(Request):
    """To switch off the host of a halt job."""

    options: HaltOptions

    @property
    def last(self) -> str:
        """The step that switches the host off: its own locks are kept until it begins."""
        return f"{self.job.name}/poweroff"

    @property
    def cut_off(self) -> tuple[Concerned, ...]:
        """The stores whose holder is cut off: it needs a moment to end."""
        return tuple(each for each in self.stores if self.options.stop_writers and each.holder and each.holder.plan)

    @property
    def disks(self) -> tuple[Disk, ...]:
        """The declared disks that are mounted, those below others first."""
        mounted = {filesystem.mount for filesystem in self.facts.hosts[self.job.host].filesystems}
        own = (disk for disk in self.site.disks if disk.host == self.job.host and disk.mount in mounted)
        return tuple(sorted(own, key=lambda disk: len(PurePosixPath(disk.mount).parts), reverse=True))

    def on(self, disk: Disk) -> tuple[Concerned, ...]:
        """The stores that this plan holds on `disk`."""
        own = (each for each in self.stores if each.store.host == self.job.host and each.usable)
        return tuple(each for each in own if PurePosixPath(each.path).is_relative_to(disk.mount))


def _cut_off(concerned: Concerned) -> str:
    who = locks.describe(concerned.holder) if concerned.holder else "somebody"
    kept = "a snapshot that is unfinished then is kept, and the next run goes on with it"
    return f"what {who} does in store {concerned.store.name} is cut off: {kept}"


def _locks(halt: Halt) -> tuple[Lock, ...]:
    """The host's own, then the stores; those that are taken from somebody last, when nothing else is in the way.

    The lock of a store ends when its disk is unmounted, or with the host.
    """
    released = {each.store.name for disk in halt.disks for each in halt.on(disk)}
    cut_off = {each.store.name: each.holder.plan for each in halt.cut_off if each.holder}
    stores = sorted((each for each in halt.stores if each.usable), key=lambda each: each.store.name in cut_off)
    ends = {name: boot_checks.release_step(halt.job.name, name) for name in released}
    return (
        *halt.own_locks(halt.last),
        *(
            halt.store_lock(each, ends.get(each.store.name, halt.last), cut_off.get(each.store.name, ""))
            for each in stores
        ),
    )


def halt_steps(halt: Halt) -> tuple[Step, ...]:
    """All of them. Nothing is switched off before every declared disk of the host is unmounted; those that
    are, are mounted again where it then stays on.

    Where the host is the one that the runner is on, nobody is left to see that it is gone.
    """
    idle = agent.idle(halt.boot, halt.by)
    why = halt.options.reason or "switch the host off, and its power with it"
    down = halt.down("poweroff", agent.poweroff(halt.before.systemd), why, idle).known_as(Role.OFF)
    back = agent.is_back(halt.job.host, halt.boot)
    gone = halt.step("gone", WaitFor(until=back, within=_GOES, gone=True), "it does not answer any more")
    why = "what is still in memory goes to the disks"
    sync = replace(halt.step("sync", Command(argv=agent.sync()), why, Effect.WRITE), timeout=_SYNCS)
    unmounting = tuple(step for disk in halt.disks for step in _unmounting(halt, disk))
    return (
        _quiet(halt, idle),
        sync.known_as(Role.SYNC),
        *unmounting,
        down,
        *((gone.known_as(Role.GONE),) if halt.job.host != halt.site.controller else ()),
        *_mounting_again(halt, tuple(step.id for step in (*unmounting, down))),
    )


def _quiet(halt: Halt, argv: Argv) -> Step:
    why = "nothing is being written, and nothing blocks a shutdown"
    if not halt.cut_off:
        # On a disk at its limit the look itself takes long, as the sync that follows does.
        return replace(halt.step("idle", Command(argv=argv), why), timeout=_SYNCS).known_as(Role.IDLE)
    wait = WaitFor(until=agent.is_idle(halt.job.host, argv), within=ENDS)
    return halt.step("idle", wait, f"{why} any more").known_as(Role.IDLE)


def _unmounting(halt: Halt, disk: Disk) -> Iterator[Step]:
    """Release the stores on the disk, then unmount it. Nobody runs these when the host is up again,
    so they do not count as its power going away."""
    unmount = Command(argv=e2fsck.unmount(disk.mount))
    why = f"disk {disk.name} is whole, and can be unplugged"
    steps = [
        *(
            halt.step(
                f"release-{each.store.name}",
                Command(argv=e2fsck.release(halt.program, each.path, halt.plan)),
                f"release store {each.store.name}, so that its disk can be unmounted",
                Effect.INTERRUPT,
            ).known_as(Role.RELEASE, each.store.name)
            for each in halt.on(disk)
        ),
        halt.step(f"unmount-{disk.name}", unmount, why, Effect.INTERRUPT).known_as(Role.UNMOUNT, disk.name),
    ]
    paths = [each.path for each in halt.on(disk)]
    unused = e2fsck.unused(halt.job.host, halt.program, disk.mount, halt.plan, paths)
    steps[0] = replace(steps[0], guard=unused)
    yield from (replace(step, needs=("device",), timeout=_SYNCS) for step in steps)


def _mounting_again(halt: Halt, before: tuple[str, ...]) -> Iterator[Step]:
    """Undo each unmounting where something between it and the end of the host failed, or was stopped."""
    made: list[str] = []
    for disk in reversed(halt.disks):
        since = before[before.index(f"{halt.job.name}/unmount-{disk.name}") + 1 :]
        again = Command(argv=mount.mount(disk.mount))
        step = halt.step(f"mount-{disk.name}", again, "where the host stays on after all", Effect.WRITE)
        yield replace(
            step.known_as(Role.MOUNT, disk.name),
            needs=("device",),
            unless=Ended(step=halt.last, codes=(0, SESSION_DIED)),
            despite=(*since, *made),
            timeout=ENDS,
        )
        made.append(step.id)
