"""The steps around a reboot: a check that is due, made before it or put off until after it."""

from __future__ import annotations

from collections.abc import Sequence
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
class Reboot:
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
        """Before the step that reboots, or after the last of the job, where its failure keeps no look away."""
        return Insertion(step=step, where=where, anchor=(self.step if where == "before" else self.last).id)


def found(site: Site, job: PlannedJob, steps: Sequence[Step], facts: Facts) -> Reboot | None:
    """The reboot that a job makes, the first if it makes several; None if it makes none."""
    for place, step in enumerate(steps):
        if step.effect == Effect.INTERRUPT and step.role == Role.DOWN:
            between = tuple(one.id for one in steps[place:])
            return Reboot(site=site, job=job, facts=facts, step=step, last=steps[-1], between=between)
    return None


def held(site: Site, job: PlannedJob, disk: Disk) -> tuple[str, ...] | None:
    """The stores on `disk` whose lock `job` holds and lets go of in time; None if it holds one longer."""
    names = []
    for one in site.stores:
        if one.disk != disk.name:
            continue
        for lock in job.locks:
            if lock.resource == f"store {one.name}":
                if lock.until != boot_checks.let_go_step(job.name, one.name):
                    return None
                names.append(one.name)
    return tuple(names)


def forward(site: Site, job: PlannedJob, steps: Sequence[Step], facts: Facts) -> tuple[Insertion, ...]:
    """Unmount a disk that is due and check it before the reboot; the boot, or else the last step, mounts it.

    In between it stays unmounted, so that nothing is written to it although its stores are let go.
    """
    reboot = found(site, job, steps, facts)
    if reboot is None:
        return ()
    wishes: list[Insertion] = []
    for disk, outlook in reboot.due():
        stores = held(site, job, disk)
        if stores is not None:
            wishes += _forward(reboot, disk, outlook, stores)
    return tuple(wishes)


def defer(site: Site, job: PlannedJob, steps: Sequence[Step], facts: Facts) -> tuple[Insertion, ...]:
    """Switch off what makes the check due before the reboot, and on again as it was, whatever happened."""
    reboot = found(site, job, steps, facts)
    if reboot is None:
        return ()
    wishes: list[Insertion] = []
    for disk, outlook in reboot.due():
        off = reboot.new(
            f"put-off-{disk.name}",
            tune2fs.switch_off(disk.device),
            Effect.WRITE,
            f"this boot is not to check it, although {outlook.forecast.why}",
        ).known_as(Role.PUT_OFF, disk.name)
        on = reboot.new(
            f"put-on-{disk.name}",
            tune2fs.switch_on(disk.device, outlook.found.superblock),
            Effect.WRITE,
            "it is checked by age and mounts again, as before",
        ).known_as(Role.PUT_ON, disk.name)
        on = replace(on, despite=(off.id, *reboot.between), guard=_not_going(reboot))
        wishes += [reboot.put(off, "before"), reboot.put(on, "after")]
    return tuple(wishes)


def _forward(reboot: Reboot, disk: Disk, outlook: Outlook, stores: Sequence[str]) -> list[Insertion]:
    check = _check(reboot, disk, outlook)
    if not outlook.found.mount:
        return [reboot.put(check, "before")]
    host, program = reboot.step.host, reboot.program
    paths = [_path(reboot, name) for name in stores]
    why = "nothing may change while it is checked"
    unmount = reboot.new(f"unmount-{disk.name}", e2fsck.unmount(disk.mount), Effect.INTERRUPT, why).known_as(
        Role.UNMOUNT, disk.name
    )
    # What interrupts and needs power takes the host away; what is left of a plan begins behind that.
    unmount = replace(unmount, needs=("device",))
    lets = [
        reboot.new(
            f"let-go-{name}",
            e2fsck.release(program, path, reboot.plan),
            Effect.WRITE,
            f"nothing can use store {name} without its disk",
        ).known_as(Role.RELEASE, name)
        for name, path in zip(stores, paths, strict=True)
    ]
    steps = [*lets, unmount, check]
    steps[0] = replace(steps[0], guard=e2fsck.unused(host, program, disk.mount, reboot.plan, paths))
    back = replace(
        reboot.new(
            f"mount-{disk.name}", mount.mount(disk.mount), Effect.WRITE, "where no boot has mounted it"
        ).known_as(Role.MOUNT, disk.name),
        guard=e2fsck.sound(host, program, disk.device),
        unless=e2fsck.mounted(host, program, disk.device),
        despite=(*(step.id for step in steps), *reboot.between),
    )
    return [*(reboot.put(step, "before") for step in steps), reboot.put(back, "after")]


def _not_going(reboot: Reboot) -> Check:
    """A run that is stopped cleans up while the host still goes down, and then the boot would check after all."""
    return Check(
        host=reboot.step.host,
        argv=(reboot.program, "up"),
        field="system",
        relation="!=",
        value="stopping",
        why="this is not yet the boot that is to pass without a check",
    )


def _check(reboot: Reboot, disk: Disk, outlook: Outlook) -> Step:
    name = f"check-{disk.name}"
    # Once begun it goes on whatever becomes of the connection: a check that is cut off has to begin anew.
    argv = detached.run(
        reboot.program, reboot.plan, f"{reboot.job.name}/{name}", e2fsck.check(disk.device), packages=""
    )
    step = reboot.new(name, argv, Effect.WRITE, f"checked now, while the host is up: {outlook.forecast.why}").known_as(
        Role.CHECK, disk.name
    )
    most = outlook.forecast.most or 0.0
    return replace(step, ok_codes=e2fsck.DONE, timeout=max(2 * DAY, 3 * round(most)), carried=True)


def _path(reboot: Reboot, name: str) -> str:
    host = reboot.site.host(reboot.step.host)
    known = reboot.facts.hosts[host.name].stores.get(name)
    return known.path if known else host.at(reboot.site.store(name).path)
