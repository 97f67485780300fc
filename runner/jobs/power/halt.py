"""Kind `halt`: a host is switched off to be moved or unplugged, with everything on its disks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath

from runner.jobs.bundled import Bundled
from runner.jobs.disks import e2fsck, mount
from runner.jobs.power import agent, before, locks, window
from runner.jobs.power.locks import Concerned
from runner.jobs.power.reboot import refused, told
from runner.jobs.power.report import reported
from runner.jobs.power.window import When, Wrong
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.options import HaltOptions
from runner.model.plan import Argv, Check, Command, Effect, Ended, Lock, Need, PlannedJob, Skip, Step, WaitFor
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Disk, Job, Site
from runner.tools import agent as store

# What was told to end has this long; the disk takes what is still in memory; shutting down takes its time.
_ENDS = 120
_SYNCS = 3600
_GOES = 900
_SESSION_DIED = 255


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
        known = tuple(
            told(
                job,
                (*before.doubts(site, host, found, facts), *locks.unknown(stores)),
                (
                    *before.notes(host, found, facts),
                    *map(_cut_off, ended),
                    f"to start {job.host} again: {options.start}",
                ),
            )
        )
        wrongs = (
            *window.against(site, job, when, facts, now),
            *locks.against(stores, ending=options.stop_writers),
            *before.against(host, found),
        )
        if wrongs:
            return refused(job, wrongs, known)
        halt = Halt(
            site=site,
            job=job.name,
            host=job.host,
            plan=plan_id(now),
            boot_id=found.up.boot_id,
            systemd=found.systemd,
            by=window.closes(site, job, when, facts),
            stores=stores,
            ending=bool(ended),
            mounted=frozenset(one.mount for one in facts.hosts[job.host].filesystems),
            why=options.reason,
        )
        planned = PlannedJob(
            name=job.name, kind=self.name, after=job.after, locks=_locks(halt, ended), headline=options.start
        )
        return Draft(planned=planned, steps=halt_steps(halt), findings=known)

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return reported(job, outcomes, around)


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
    return (
        *own,
        *(
            locks.store_lock(
                halt.site,
                one,
                plan=halt.plan,
                who=who,
                until=halt.until(one),
                instead=one.found.holder.plan if one in ended and one.found and one.found.holder else "",
            )
            for one in stores
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Halt:
    """A host to switch off as plan `plan` of `job`, not later than `by`.

    `stores` are those that concern it, `mounted` the mount points in use, `systemd` its version, None where
    another program runs the host. `ending`: the plan cuts somebody off, who needs a moment to end.
    """

    site: Site
    job: str
    host: str
    plan: str
    boot_id: str
    systemd: int | None
    by: datetime | None
    stores: tuple[Concerned, ...]
    mounted: frozenset[str]
    ending: bool = False
    why: str = ""

    @property
    def last(self) -> str:
        """The step that switches the host off: its own locks are kept until it begins."""
        return f"{self.job}/poweroff"

    @property
    def disks(self) -> tuple[Disk, ...]:
        """The declared disks that are mounted, those below others first."""
        own = (one for one in self.site.disks if one.host == self.host and one.mount in self.mounted)
        return tuple(sorted(own, key=lambda one: len(PurePosixPath(one.mount).parts), reverse=True))

    def on(self, disk: Disk) -> tuple[Concerned, ...]:
        """The stores that this plan holds on `disk`."""
        mount = PurePosixPath(disk.mount)
        return tuple(
            one for one in self.stores if one.store.host == self.host and locks.there(one) and mount in _above(one)
        )

    def until(self, one: Concerned) -> str:
        """The step in which the lock of a store ends: when its disk is unmounted, or with the host."""
        own = any(one in self.on(disk) for disk in self.disks)
        return _let_go(self.job, one) if own else self.last

    def step(
        self,
        name: str,
        action: Command | WaitFor,
        why: str,
        *,
        effect: Effect = Effect.READ,
        needs: tuple[Need, ...] = ("power",),
        guard: Check | None = None,
    ) -> Step:
        """A step of this job on the host."""
        timeout = action.within + _ENDS if isinstance(action, WaitFor) else _SYNCS
        return Step(
            id=f"{self.job}/{name}",
            job=self.job,
            host=self.host,
            action=action,
            effect=effect,
            why=why,
            guard=guard,
            timeout=timeout,
            needs=needs,
        )


def halt_steps(halt: Halt) -> tuple[Step, ...]:
    """All of them. Nothing is switched off before every declared disk of the host is unmounted; those that
    are, are mounted again where it then stays on.

    Where the host is the one that the runner is on, nobody is left to see that it is gone.
    """
    boot = agent.Boot(program=store.program(halt.site.host(halt.host)), id=halt.boot_id)
    still = agent.still(boot, halt.by)
    down = Step(
        id=halt.last,
        role=Role.OFF,
        job=halt.job,
        host=halt.host,
        action=Command(argv=agent.poweroff(halt.systemd)),
        effect=Effect.INTERRUPT,
        why=halt.why or "switch the host off, and its power with it",
        guard=agent.is_still(halt.host, still),
        ok_codes=(0, _SESSION_DIED),
        timeout=_ENDS,
        needs=("power",),
    )
    gone = halt.step(
        "gone", WaitFor(until=agent.is_back(halt.host, boot), within=_GOES, gone=True), "it does not answer any more"
    ).known_as(Role.GONE)
    why = "what is still in memory goes to the disks"
    unmounting = tuple(step for disk in halt.disks for step in _unmounting(halt, disk))
    return (
        _quiet(halt, still),
        halt.step("sync", Command(argv=agent.sync()), why, effect=Effect.WRITE).known_as(Role.SYNC),
        *unmounting,
        down,
        *((gone,) if halt.host != halt.site.controller else ()),
        *_mounting_again(halt, tuple(step.id for step in (*unmounting, down))),
    )


def _quiet(halt: Halt, argv: Argv) -> Step:
    why = "nothing is being written, and nobody asks that it stays up"
    if not halt.ending:
        return halt.step("still", Command(argv=argv), why).known_as(Role.STILL)
    wait = WaitFor(until=agent.is_still(halt.host, argv), within=_ENDS)
    return halt.step("still", wait, f"{why} any more").known_as(Role.STILL)


def _unmounting(halt: Halt, disk: Disk) -> Iterator[Step]:
    """Let go of the stores on the disk, then unmount it. Nobody runs these when the host is up again,
    so they do not count as its power going away."""
    program = store.program(halt.site.host(halt.host))
    paths = [one.found.path for one in halt.on(disk) if one.found]
    unused = e2fsck.unused(halt.host, program, disk.mount, halt.plan, paths)
    for number, one in enumerate(halt.on(disk)):
        path = one.found.path if one.found else one.store.path
        yield halt.step(
            _let_go(halt.job, one).removeprefix(f"{halt.job}/"),
            Command(argv=e2fsck.let_go(program, path, halt.plan)),
            f"let go of store {one.store.name}, so that its disk can be unmounted",
            effect=Effect.INTERRUPT,
            needs=("device",),
            guard=None if number else unused,
        ).known_as(Role.RELEASE, one.store.name)
    yield halt.step(
        f"unmount-{disk.name}",
        Command(argv=e2fsck.unmount(disk.mount)),
        f"disk {disk.name} is whole, and can be unplugged",
        effect=Effect.INTERRUPT,
        needs=("device",),
        guard=None if paths else unused,
    ).known_as(Role.UNMOUNT, disk.name)


def _mounting_again(halt: Halt, before: tuple[str, ...]) -> Iterator[Step]:
    """Undo each unmounting where something between it and the end of the host failed, or was stopped."""
    made: list[str] = []
    for disk in reversed(halt.disks):
        since = before[before.index(f"{halt.job}/unmount-{disk.name}") + 1 :]
        step = halt.step(
            f"mount-{disk.name}",
            Command(argv=mount.mount(disk.mount)),
            "where the host stays on after all",
            effect=Effect.WRITE,
            needs=("device",),
        ).known_as(Role.MOUNT, disk.name)
        yield replace(
            step, unless=Ended(step=halt.last, codes=(0, _SESSION_DIED)), despite=(*since, *made), timeout=_ENDS
        )
        made.append(step.id)


def _let_go(job: str, one: Concerned) -> str:
    return f"{job}/let-go-{one.store.name}"


def _above(one: Concerned) -> tuple[PurePosixPath, ...]:
    path = PurePosixPath(one.found.path if one.found else one.store.path)
    return (path, *path.parents)
