"""What must be there again after a reboot, and the steps that look for it, each whatever the others found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from runner.agent.power.contract import LookAfterBoot
from runner.jobs.disks import fstab
from runner.jobs.power import agent
from runner.model.facts import Filesystem, HostFacts
from runner.model.plan import Command, Effect, Step, WaitFor
from runner.model.role import Role
from runner.model.site import Site
from runner.tools import agent as store

# A service may need a while after systemd has started it, a database as long as its log is replayed.
_MOUNTED = 60
_RUNS = 120
_ANSWERS = 600
_LOOKED = 60
# What people keep files on; packages that mount themselves, and media, have other types.
_DISKS = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "exfat", "ntfs3"))


@dataclass(frozen=True, kw_only=True, slots=True)
class MountPoint:
    """A filesystem that must be mounted: `disk` is its name in jobs.toml, "" where it is only in fstab."""

    point: str
    uuid: str = ""
    disk: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What must be there again. `kernel` is the release, "" for the newest that is installed then, None
    where none can be told.

    `failed` are the units that had failed before, `must_run` those that must be active, `page` an
    address that must answer, "" for none.
    """

    kernel: str | None = ""
    mounted: tuple[MountPoint, ...] = ()
    failed: tuple[str, ...] = ()
    must_run: tuple[str, ...] = ()
    database: bool = False
    page: str = ""


def mounted(site: Site, host: HostFacts, entries: tuple[fstab.FstabEntry, ...]) -> tuple[MountPoint, ...]:
    """What is mounted now and will be by the boot: the declared disks, and whatever fstab mounts."""
    now = {filesystem.mount: filesystem for filesystem in host.filesystems}
    disks = {disk.mount: disk for disk in site.disks if disk.host == host.name and disk.mount in now}
    own = [MountPoint(point=point, uuid=disk.uuid or now[point].uuid, disk=disk.name) for point, disk in disks.items()]
    automatic = {entry.mount for entry in entries if "noauto" not in entry.options} | {"/"}
    others = [
        MountPoint(point=point, uuid=filesystem.uuid)
        for point, filesystem in now.items()
        if point in automatic and point not in disks
    ]
    return (*own, *others)


def by_hand(host: HostFacts, entries: tuple[fstab.FstabEntry, ...]) -> tuple[Filesystem, ...]:
    """What is mounted now from a disk of its own, and will not be by the boot as far as fstab says."""
    known = {entry.mount for entry in entries} | {"/"}
    return tuple(
        each
        for each in host.filesystems
        if each.type in _DISKS and each.root == "/" and each.mount not in known and each.source.startswith("/dev/")
    )


def steps(site: Site, prefix: str, settled: Step, expected: Expected) -> tuple[Step, ...]:
    """The looks, in order. `settled` is the step that waits for the host to settle, `prefix` begins each id.

    Each is taken although those before it found something wrong: one visit should mend it all.
    """
    made: list[Step] = []
    for look in _looks(site, settled.host, expected):
        wait = look.action.within if isinstance(look.action, WaitFor) else _LOOKED
        step = Step(
            id=f"{prefix}{look.name}",
            role=look.role,
            subject=look.subject,
            job=settled.job,
            host=look.host,
            action=look.action,
            effect=Effect.READ,
            why=look.why,
            timeout=wait + _LOOKED,
            needs=settled.needs,
            despite=(settled.id, *(step.id for step in made)),
        )
        made.append(step)
    return tuple(made)


class Look(NamedTuple):
    """One look at what must be there again."""

    name: str
    role: Role
    host: str
    action: Command | WaitFor
    why: str
    subject: str = ""


def _looks(site: Site, host: str, expected: Expected) -> Iterator[Look]:
    program = store.program(site.host(host))

    def wait(look: LookAfterBoot, within: int, why: str) -> WaitFor:
        return WaitFor(until=agent.has_returned(host, agent.returned(program, look), why), within=within)

    if expected.kernel is not None:
        which = f"kernel {expected.kernel}" if expected.kernel else "the newest kernel that is installed"
        kernel = Command(argv=agent.returned(program, LookAfterBoot("kernel", is_=expected.kernel)))
        yield Look("kernel", Role.KERNEL, host, kernel, f"it runs {which}")
    for number, mount in enumerate(expected.mounted, start=1):
        name, why = f"mounted-{number}", f"{mount.point} is mounted"
        if mount.disk:
            name, why = f"disk-{mount.disk}", f"disk {mount.disk} is mounted at {mount.point}"
        look = LookAfterBoot("mounted", at=mount.point, uuid=mount.uuid, writable=bool(mount.disk))
        yield Look(name, Role.MOUNTED, host, wait(look, _MOUNTED, why), why, mount.disk)
    for unit in expected.must_run:
        why = f"{unit} runs, as jobs.toml says it must"
        yield Look(f"runs-{unit}", Role.RUNS, host, wait(LookAfterBoot("active", unit=unit), _RUNS, why), why, unit)
    units = Command(argv=agent.returned(program, LookAfterBoot("units", known=expected.failed)))
    yield Look("units", Role.UNITS, host, units, "no unit failed that had not before")
    if expected.database:
        why = "the database answers"
        yield Look("database", Role.DATABASE, host, wait(LookAfterBoot("database"), _ANSWERS, why), why)
    if expected.page:
        controller = site.host(site.controller)
        action = WaitFor(until=agent.answers(controller, expected.page), within=_ANSWERS)
        yield Look("page", Role.PAGE, controller.name, action, f"{expected.page} answers")
