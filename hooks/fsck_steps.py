"""The steps around a reboot: a check that is due, made before it or put off until after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from runner.jobs.disks import e2fsck, mount, tune2fs
from runner.jobs.power import boot_checks
from runner.jobs.power.boot_checks import Outlook
from runner.model.facts import Facts
from runner.model.names import plan_id
from runner.model.plan import Argv, Check, Command, Effect, Insertion, PlannedJob, Step
from runner.model.role import Role
from runner.model.site import Disk, Site
from runner.tools import agent, detached

DAY = 86400
SOURCE = "hooks.fsck"


@dataclass(frozen=True, kw_only=True, slots=True)
class RebootingJob:
    """A job that reboots a host: its first such step, its last step, and the steps from there to here."""

    site: Site
    job: PlannedJob
    facts: Facts
    step: Step
    last: Step
    between: tuple[str, ...]

    @property
    def program(self) -> str:
        """Where runner-agent is on the host."""
        return agent.program(self.site.host(self.step.host))

    @property
    def plan(self) -> str:
        """The id of the plan, under which its locks are held."""
        return plan_id(self.facts.at)

    def due(self) -> tuple[tuple[Disk, Outlook], ...]:
        """The declared disks that the boot would check because it is time."""
        at = boot_checks.when(self.facts, self.job.name)
        return boot_checks.due_disks(self.site, self.facts, self.step.host, at)

    def new(self, name: str, argv: Argv, effect: Effect, why: str) -> Step:
        """A step of ours on the host that is rebooted."""
        return Step(
            id=f"{self.job.name}/{name}",
            job=self.job.name,
            host=self.step.host,
            action=Command(argv=argv),
            effect=effect,
            why=why,
            needs=("device", "power"),
            added_by=SOURCE,
        )

    def put(self, step: Step, where: Literal["before", "after"]) -> Insertion:
        """Before the step that reboots, or after the last of the job, where its failure prevents no look."""
        return Insertion(step=step, where=where, anchor=(self.step if where == "before" else self.last).id)


def insertions(
    site: Site, job: PlannedJob, steps: Sequence[Step], facts: Facts, when_due: str
) -> tuple[Insertion, ...]:
    """What is put around the first reboot of a job, if it makes one, for each disk whose check is due.

    `forward`: the disk is unmounted and checked before; the boot, or else the last step, mounts it. In between
    it stays unmounted, so that nothing is written to it although its stores are released. `defer`: what
    makes the check due is switched off before, and on again as it was, whatever happened.
    """
    make = _forward if when_due == "forward" else _defer
    for place, step in enumerate(steps):
        if step.effect == Effect.INTERRUPT and step.role == Role.DOWN:
            between = tuple(step.id for step in steps[place:])
            reboot = RebootingJob(site=site, job=job, facts=facts, step=step, last=steps[-1], between=between)
            return tuple(wish for disk, outlook in reboot.due() for wish in make(reboot, disk, outlook))
    return ()


def _defer(reboot: RebootingJob, disk: Disk, outlook: Outlook) -> Iterator[Insertion]:
    why = f"this boot must not check it, although {outlook.forecast.why}"
    off = reboot.new(f"put-off-{disk.name}", tune2fs.switch_off(disk.device), Effect.WRITE, why)
    argv = tune2fs.switch_on(disk.device, outlook.extfs.superblock)
    on = reboot.new(f"put-on-{disk.name}", argv, Effect.WRITE, "it is checked by age and mounts again, as before")
    on = replace(on, despite=(off.id, *reboot.between), guard=_not_going(reboot))
    yield reboot.put(off.known_as(Role.PUT_OFF, disk.name), "before")
    yield reboot.put(on.known_as(Role.PUT_ON, disk.name), "after")


def _not_going(reboot: RebootingJob) -> Check:
    """A run that is stopped cleans up while the host still goes down, and then the boot would check after all."""
    return Check(
        host=reboot.step.host,
        argv=(reboot.program, "up"),
        field="system",
        relation="!=",
        value="stopping",
        why="the host is not going down right now",
    )


def _forward(reboot: RebootingJob, disk: Disk, outlook: Outlook) -> Iterator[Insertion]:
    stores = _released(reboot, disk)
    if stores is None:
        return
    check = _check(reboot, disk, outlook)
    if not outlook.extfs.seen.mount:
        yield reboot.put(check, "before")
        return
    host, program = reboot.step.host, reboot.program
    paths = [_path(reboot, name) for name in stores]
    releases = [
        reboot.new(
            f"release-{name}",
            e2fsck.release(program, path, reboot.plan),
            Effect.WRITE,
            f"nothing can use store {name} without its disk",
        ).known_as(Role.RELEASE, name)
        for name, path in zip(stores, paths, strict=True)
    ]
    why = "nothing may change while it is checked"
    unmount = reboot.new(f"unmount-{disk.name}", e2fsck.unmount(disk.mount), Effect.INTERRUPT, why)
    # What interrupts and needs power takes the host away; what is left of a plan begins behind that.
    unmount = replace(unmount.known_as(Role.UNMOUNT, disk.name), needs=("device",))
    steps = [*releases, unmount, check]
    steps[0] = replace(steps[0], guard=e2fsck.unused(host, program, disk.mount, reboot.plan, paths))
    yield from (reboot.put(step, "before") for step in steps)
    back = reboot.new(f"mount-{disk.name}", mount.mount(disk.mount), Effect.WRITE, "where no boot has mounted it")
    back = replace(
        back.known_as(Role.MOUNT, disk.name),
        guard=e2fsck.sound(host, program, disk.device),
        unless=e2fsck.mounted(host, program, disk.device),
        despite=(*(step.id for step in steps), *reboot.between),
    )
    yield reboot.put(back, "after")


def _released(reboot: RebootingJob, disk: Disk) -> tuple[str, ...] | None:
    """The stores on `disk` whose lock the job holds and releases in time; None if it holds one longer."""
    until = {lock.resource: lock.until for lock in reboot.job.locks}
    names = [store.name for store in reboot.site.stores if store.disk == disk.name and f"store {store.name}" in until]
    in_time = all(until[f"store {name}"] == boot_checks.release_step(reboot.job.name, name) for name in names)
    return tuple(names) if in_time else None


def _check(reboot: RebootingJob, disk: Disk, outlook: Outlook) -> Step:
    name = f"check-{disk.name}"
    # Once begun it goes on whatever becomes of the connection: a check that is cut off has to begin anew.
    argv = detached.run(reboot.program, reboot.plan, f"{reboot.job.name}/{name}", e2fsck.check(disk.device))
    step = reboot.new(name, argv, Effect.WRITE, f"checked now, while the host is up: {outlook.forecast.why}")
    timeout = max(2 * DAY, 3 * round(outlook.forecast.most or 0.0))
    return replace(step.known_as(Role.CHECK, disk.name), ok_codes=e2fsck.DONE, timeout=timeout, detached=True)


def _path(reboot: RebootingJob, name: str) -> str:
    host = reboot.site.host(reboot.step.host)
    known = reboot.facts.hosts[host.name].stores.get(name)
    return known.path if known else host.at(reboot.site.store(name).path)
