"""What must be there again after a reboot, and the steps that look for it, each whatever the others found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.agent.power.contract import CameBack
from runner.jobs.disks import fstab
from runner.jobs.power import agent
from runner.model.facts import Filesystem, HostFacts
from runner.model.plan import Argv, Check, Command, Effect, Step, WaitFor
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
class Mounted:
    """A filesystem that must be mounted: `disk` is its name in jobs.toml, "" where it is only in fstab."""

    point: str
    uuid: str = ""
    disk: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What must be there again. `kernel` is the release, "" for the newest that is installed then, None
    where none can be told.

    `failed` are the units that had failed before, `must_run` those that must be active, `page` an
    address that must answer, "" for none.
    """

    kernel: str | None = ""
    mounted: tuple[Mounted, ...] = ()
    failed: tuple[str, ...] = ()
    must_run: tuple[str, ...] = ()
    database: bool = False
    page: str = ""


def mounted(site: Site, host: HostFacts, entries: tuple[fstab.FstabEntry, ...]) -> tuple[Mounted, ...]:
    """What is mounted now and will be by the boot: the declared disks, and whatever fstab mounts."""
    now = {one.mount: one for one in host.filesystems}
    disks = {one.mount: one for one in site.disks if one.host == host.name and one.mount in now}
    own = [Mounted(point=point, uuid=disk.uuid or now[point].uuid, disk=disk.name) for point, disk in disks.items()]
    automatic = {one.mount for one in entries if "noauto" not in one.options} | {"/"}
    others = [
        Mounted(point=point, uuid=one.uuid) for point, one in now.items() if point in automatic and point not in disks
    ]
    return (*own, *others)


def by_hand(host: HostFacts, entries: tuple[fstab.FstabEntry, ...]) -> tuple[Filesystem, ...]:
    """What is mounted now from a disk of its own, and will not be by the boot as far as fstab says."""
    known = {one.mount for one in entries} | {"/"}
    return tuple(
        one
        for one in host.filesystems
        if one.type in _DISKS and one.root == "/" and one.mount not in known and one.source.startswith("/dev/")
    )


def steps(site: Site, prefix: str, base: Step, wanted: Wanted) -> tuple[Step, ...]:
    """The looks, in order. `base` is the step that waits for the host to settle, `prefix` begins each id.

    Each is taken although those before it found something wrong: one visit should mend it all.
    """
    looks = _looks(site, base.host, wanted)
    made: list[Step] = []
    for (name, role, subject), (host, action), why in looks:
        wait = action.within if isinstance(action, WaitFor) else _LOOKED
        step = Step(
            id=f"{prefix}{name}",
            role=role,
            subject=subject,
            job=base.job,
            host=host,
            action=action,
            effect=Effect.READ,
            why=why,
            timeout=wait + _LOOKED,
            needs=base.needs,
            despite=(base.id, *(one.id for one in made)),
        )
        made.append(step)
    return tuple(made)


# A look has a name, a role and a subject.
Look = tuple[tuple[str, Role, str], tuple[str, Command | WaitFor], str]


def _looks(site: Site, host: str, wanted: Wanted) -> Iterator[Look]:
    program = store.program(site.host(host))

    def argv(look: CameBack) -> Argv:
        return agent.came_back(program, look)

    def wait(looked: Argv, within: int, why: str) -> tuple[str, WaitFor]:
        return host, WaitFor(until=agent.is_there(host, looked, why), within=within)

    which = f"kernel {wanted.kernel}" if wanted.kernel else "the newest kernel that is installed"
    if wanted.kernel is not None:
        kernel = Command(argv=argv(CameBack("kernel", is_=wanted.kernel)))
        yield ("kernel", Role.KERNEL, ""), (host, kernel), f"it runs {which}"
    for number, one in enumerate(wanted.mounted, start=1):
        what = f"disk {one.disk}" if one.disk else one.point
        why = f"{what} is mounted" + (f" at {one.point}" if one.disk else "")
        name = f"disk-{one.disk}" if one.disk else f"mounted-{number}"
        yield (
            (name, Role.MOUNTED, one.disk),
            wait(argv(CameBack("mounted", at=one.point, uuid=one.uuid, writable=bool(one.disk))), _MOUNTED, why),
            why,
        )
    for unit in wanted.must_run:
        why = f"{unit} runs, as jobs.toml says it must"
        wanted_unit = wait(argv(CameBack("active", unit=unit)), _RUNS, why)
        yield (f"runs-{unit}", Role.RUNS, unit), wanted_unit, why
    units = Command(argv=argv(CameBack("units", known=wanted.failed)))
    yield ("units", Role.UNITS, ""), (host, units), "no unit failed that had not before"
    if wanted.database:
        why = "the database answers"
        yield ("database", Role.DATABASE, ""), wait(argv(CameBack("database")), _ANSWERS, why), why
    if wanted.page:
        controller = site.host(site.controller)
        asked: Check = agent.answers(controller, wanted.page)
        yield (
            ("page", Role.PAGE, ""),
            (controller.name, WaitFor(until=asked, within=_ANSWERS)),
            f"{wanted.page} answers",
        )
