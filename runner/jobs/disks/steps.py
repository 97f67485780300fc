"""The steps that make a disk, and those that put right what is not as declared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.jobs.disks import fstab, mke2fs, mount, tune2fs, wipefs
from runner.jobs.disks.state import DiskState, stores_on
from runner.model.plan import Argv, Check, Command, Effect, Finding, Step
from runner.model.role import Role
from runner.model.site import Disk, Job, Site
from runner.model.text import count, size
from runner.tools import agent, files

DAY = 86400


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskWork:
    """What all steps of a job have in common: the disk, its state, and the UUID it has or shall have."""

    site: Site
    job: Job
    disk: Disk
    state: DiskState
    uuid: str
    now: datetime

    @property
    def program(self) -> str:
        """Where the agent is on the disk's host."""
        return agent.program(self.site.host(self.disk.host))

    def step(
        self, name: str, argv: Argv, why: str, *, effect: Effect = Effect.WRITE, guard: Check | None = None
    ) -> Step:
        """A step of this job on the disk's host; making a filesystem may take a day."""
        return Step(
            id=f"{self.job.name}/{name}",
            job=self.job.name,
            host=self.disk.host,
            action=Command(argv=argv),
            effect=effect,
            why=why,
            guard=guard,
            timeout=DAY if effect == Effect.DESTROY else 600,
            needs=("device",),
        )

    def note(self, text: str, do: str = "") -> Finding:
        """A finding that asks nothing of anybody."""
        return Finding(severity="note", text=text, source=self.job.name, do=do)

    def attention(self, text: str, do: str) -> Finding:
        """A finding for a person to act on."""
        return Finding(severity="attention", text=text, source=self.job.name, do=do)

    def same(self) -> Check:
        """The claim that the device and what is on it have not changed since the plan was made."""
        return wipefs.unchanged(self.disk.host, self.disk.device, self.state.stamp)


def make(work: DiskWork) -> tuple[Step, ...]:
    """From a blank device to a mounted store."""
    disk, made, device = work.disk, work.state.made, work.state.device
    holds = f", {size(made.bytes)} with {count(made.inodes, 'inode')}" if made else ""
    destroy = work.step(
        "format",
        mke2fs.make(disk, work.uuid),
        effect=Effect.DESTROY,
        guard=work.same(),
        why=f"make an {disk.filesystem}{holds}, on {device.description}, {size(device.size)}: all on it is lost",
    ).known_as(Role.FORMAT, disk.name)
    checked = (_interval(work, disk.fsck_every, None),) if disk.fsck_every else ()
    return (destroy, *checked, *attach(work), *_identities(work))


def keep(work: DiskWork) -> tuple[Step, ...]:
    """What puts right all that is not as declared on the declared disk; nothing where all is."""
    steps: list[Step] = []
    disk, state = work.disk, work.state
    label, declared = state.marks[0].label if state.marks else "", mke2fs.label(disk)
    if label != declared:
        why = f"its label is {label!a}, not {declared!a}"
        relabel = work.step("label", tune2fs.set_label(disk.device, declared), why, guard=work.same())
        steps.append(relabel.known_as(Role.LABEL))
    if disk.fsck_every and not _checked(state.superblock, disk.fsck_every):
        steps.append(_interval(work, disk.fsck_every, work.same()))
    unmarked = any(store.name not in state.identities for store in stores_on(work.site, disk))
    marks = _identities(work) if unmarked or not state.mounted else ()
    return (*steps, *attach(work), *marks)


def attach(work: DiskWork) -> tuple[Step, ...]:
    """Mount point, fstab and mount, as far as they are missing or wrong."""
    disk, state = work.disk, work.state
    steps: list[Step] = []
    if state.point is None or not state.point.exists:
        folder = work.step("folder", files.make_folders((disk.mount,)), f"the mount point {disk.mount}")
        steps.append(folder.known_as(Role.FOLDER))
    if state.point and (not state.point.exists or state.point.unwritable is False):
        why = "nobody can write to the mount point while the disk is away, and so fill the root filesystem"
        steps.append(
            work.step("unwritable", mount.make_unwritable(work.program, disk.mount), why).known_as(Role.FOLDER)
        )
    old = state.lines[0] if state.lines else None
    if old is None or not fstab.right(old, work.uuid, disk.filesystem):
        steps.append(_line(work, old))
        if state.systemd:
            why = "systemd goes by the old fstab until it reads the new one"
            steps.append(work.step("reload", mount.reread_fstab(), why).known_as(Role.FSTAB))
    if not state.mounted:
        mounted = work.step("mount", mount.mount(disk.mount), f"mount it at {disk.mount}")
        steps.append(mounted.known_as(Role.MOUNT, disk.name))
    elif state.lacks:
        why = f"it is mounted without {' and '.join(state.lacks)}: a snapshot holds every program and device of a host"
        again = work.step("remount", mount.remount(disk.mount, state.lacks), why)
        steps.append(again.known_as(Role.MOUNT, disk.name))
    return tuple(steps)


def _line(work: DiskWork, old: fstab.FstabEntry | None) -> Step:
    disk = work.disk
    new = fstab.line(work.uuid, disk.mount, disk.filesystem, old)
    if old is None:
        why, guard = (
            "mounted at every boot, checked when it is due; the host also starts without it",
            fstab.absent(disk.host, work.program, disk.mount),
        )
    else:
        why, guard = f"replaces {old.line!a}; in force from the next mount on", None
    return work.step("fstab", fstab.put(work.program, old.line if old else "", new), why, guard=guard).known_as(
        Role.FSTAB
    )


def _interval(work: DiskWork, every: timedelta, guard: Check | None) -> Step:
    days = tune2fs.whole_days(every)
    why = f"checked by the first boot after {count(days, 'day')}, however often it is mounted"
    return work.step("interval", tune2fs.check_every(work.disk.device, every), why, guard=guard).known_as(Role.INTERVAL)


def _checked(superblock: tune2fs.Superblock, every: timedelta) -> bool:
    days = tune2fs.whole_days(superblock.interval) if superblock.interval else 0
    return superblock.max_mounts is None and days == tune2fs.whole_days(every)


def _identities(work: DiskWork) -> tuple[Step, ...]:
    """Check that this disk is what is mounted, then have each store on it record that."""
    program, disk = work.program, work.disk
    at = agent.At(program=program, path=disk.mount, plan="", mount=disk.mount, uuid=work.uuid)
    why = f"check that this disk, and no other, is mounted at {disk.mount}"
    checked = work.step("mounted", agent.check_disk(at), why, effect=Effect.READ).known_as(Role.DISK)
    return (
        checked,
        *(
            work.step(
                f"identity-{store.name}",
                mke2fs.write(program, store.path, work.uuid, work.now),
                f"store {store.name} belongs to this disk and is used on no other",
            ).known_as(Role.IDENTITY, store.name)
            for store in stores_on(work.site, disk)
            if not work.state.mounted or store.name not in work.state.identities
        ),
    )
