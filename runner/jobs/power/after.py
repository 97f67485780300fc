"""What must be there again after a reboot, and the steps that look for it, whatever became of each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from runner.agent.power.contract import LookAfterBoot
from runner.jobs.power import agent
from runner.jobs.power.request import RebootRequest
from runner.model.plan import Command, Step, WaitFor
from runner.model.role import Role

# A service may need a while after systemd has started it, a database as long as its log is replayed.
_MOUNTED = 60
_RUNS = 120
_ANSWERS = 600
_LOOKED = 60


def steps(request: RebootRequest, settled: Step) -> tuple[Step, ...]:
    """The looks, in order. `settled` is the step that waits for the host to settle.

    Each is taken although those before it found something wrong: one visit should mend it all.
    """
    made: list[Step] = []
    for step in _looks(request):
        wait = step.action.within if isinstance(step.action, WaitFor) else _LOOKED
        made.append(replace(step, timeout=wait + _LOOKED, despite=(settled.id, *(look.id for look in made))))
    return tuple(made)


def _looks(request: RebootRequest) -> Iterator[Step]:
    site, host, options, before = request.site, request.job.host, request.options, request.before

    def now(name: str, look: LookAfterBoot, why: str) -> Step:
        return request.step(f"{request.prefix}{name}", Command(argv=agent.returned(request.program, look)), why)

    def wait(name: str, look: LookAfterBoot, within: int, why: str) -> Step:
        until = agent.has_returned(host, agent.returned(request.program, look), why)
        return request.step(f"{request.prefix}{name}", WaitFor(until=until, within=within), why)

    # With packages upgraded before, the newest that is installed then; else what is the newest now, if that is known.
    kernel = request.kernel or ("" if request.upgraded else before.outdated.newest or None)
    if kernel is not None:
        which = f"kernel {kernel}" if kernel else "the newest kernel that is installed"
        yield now("kernel", LookAfterBoot("kernel", is_=kernel), f"it runs {which}").known_as(Role.KERNEL)
    for number, mount in enumerate(_mounted(request), start=1):
        name, why = f"mounted-{number}", f"{mount.point} is mounted"
        if mount.disk:
            name, why = f"disk-{mount.disk}", f"disk {mount.disk} is mounted at {mount.point}"
        look = LookAfterBoot("mounted", at=mount.point, uuid=mount.uuid, writable=bool(mount.disk))
        yield wait(name, look, _MOUNTED, why).known_as(Role.MOUNTED, mount.disk)
    for unit in options.must_run:
        look = LookAfterBoot("active", unit=unit)
        yield wait(f"runs-{unit}", look, _RUNS, f"{unit} runs, as jobs.toml says it must").known_as(Role.RUNS, unit)
    look = LookAfterBoot("units", known=before.up.failed)
    yield now("units", look, "no unit failed that had not before").known_as(Role.UNITS)
    if options.database:
        look = LookAfterBoot("database")
        yield wait("database", look, _ANSWERS, "the database answers").known_as(Role.DATABASE)
    if options.page:
        controller = site.host(site.controller)
        page = WaitFor(until=agent.answers(controller, options.page), within=_ANSWERS)
        step = request.step(f"{request.prefix}page", page, f"{options.page} answers").known_as(Role.PAGE)
        yield replace(step, host=controller.name)


class MountPoint(NamedTuple):
    """A filesystem that must be mounted: `disk` is its name in jobs.toml, "" where it is only in fstab."""

    point: str
    uuid: str
    disk: str


def _mounted(request: RebootRequest) -> Iterator[MountPoint]:
    """What is mounted now and will be by the boot: the declared disks, and whatever fstab mounts."""
    host = request.job.host
    now = {filesystem.mount: filesystem for filesystem in request.facts.hosts[host].filesystems}
    disks = {disk.mount: disk for disk in request.site.disks if disk.host == host and disk.mount in now}
    for point, disk in disks.items():
        yield MountPoint(point, disk.uuid or now[point].uuid, disk.name)
    automatic = {entry.mount for entry in request.before.entries or () if "noauto" not in entry.options} | {"/"}
    for point, filesystem in now.items():
        if point in automatic and point not in disks:
            yield MountPoint(point, filesystem.uuid, "")
