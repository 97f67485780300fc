"""What the fsck hook tells a reviewer: the health of each disk, its next check, how long that takes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from hooks.fsck_steps import SOURCE
from runner.jobs.disks import tune2fs
from runner.jobs.disks.tune2fs import Superblock
from runner.jobs.power import boot_checks
from runner.jobs.power.agent_checks import Extfs
from runner.jobs.power.boot_checks import Outlook
from runner.model.facts import Facts
from runner.model.plan import Effect, Finding, Plan, Severity, Step
from runner.model.role import Role
from runner.model.site import Disk, Site
from runner.model.text import count, length, one_line, size

DAMAGED = "have a Linux administrator unmount it and run:"
NEAR = timedelta(days=7)
NEAR_MOUNTS = 2
# What the host itself takes is not a check's.
SPARE_MEMORY = 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What is told about: the plan, the host, and the step that ends its boot, None where none does."""

    site: Site
    plan: Plan
    facts: Facts
    host: str
    stop: Step | None
    when_due: str

    @property
    def at(self) -> datetime:
        """When the boot is that is spoken of."""
        return boot_checks.when(self.facts, self.stop.job) if self.stop else self.facts.at

    @property
    def returns(self) -> bool:
        """Whether the plan sees the host through that boot itself, and so leaves nobody anything to do."""
        return self.stop is not None and self.stop.role == Role.DOWN

    def has(self, role: Role, disk: Disk) -> bool:
        """Whether the job that ends the boot has such a step for a disk."""
        job = self.stop.job if self.stop else ""
        wanted = (job, role, disk.name)
        return any((step.job, step.role, step.subject) == wanted for step in self.plan.steps)


def findings(site: Site, plan: Plan, facts: Facts, when_due: str) -> tuple[Finding, ...]:
    """All that is to be told of a plan; where it ends no boot, of the declared disks only."""
    stops = {step.host: step for step in reversed(plan.steps) if _ends_boot(step)}
    hosts = dict.fromkeys((*(disk.host for disk in site.disks), *stops))
    if not hosts:
        return ()
    if not plan.live:
        return (_finding("note", "the sandbox has no disks, so none is looked at"),)
    return tuple(
        finding
        for host in hosts
        for finding in _host(
            Scene(site=site, plan=plan, facts=facts, host=host, stop=stops.get(host), when_due=when_due)
        )
    )


def _ends_boot(step: Step) -> bool:
    return step.effect == Effect.INTERRUPT and "power" in step.needs and "device" not in step.needs


def _host(scene: Scene) -> Iterator[Finding]:
    checks = boot_checks.known(scene.facts, scene.host)
    disks = [disk for disk in scene.site.disks if disk.host == scene.host and not _is_made(disk, scene.plan)]
    found = checks.filesystems if checks else ()
    outlooks = {one.found.device: one for one in boot_checks.outlooks(scene.site, scene.facts, scene.host, scene.at)}
    for disk in disks:
        own = next((one for one in found if disk.device in one.asked), None)
        yield from _disk(scene, disk, own, outlooks.get(own.device) if own else None)
    if scene.stop:
        for one in found:
            if not one.asked:
                yield from _other(scene, one, outlooks.get(one.device))


def _is_made(disk: Disk, plan: Plan) -> bool:
    """Whether this very plan makes the disk: what is on it now is of no interest then."""
    return any(step.role == Role.FORMAT and step.subject == disk.name and step.host == disk.host for step in plan.steps)


def _disk(scene: Scene, disk: Disk, own: Extfs | None, outlook: Outlook | None) -> Iterator[Finding]:
    name = f"disk {disk.name} ({disk.device} of {disk.host})"
    if own is None:
        yield _finding("note", f"{name} was not asked, so its next check is not known")
    elif outlook is None:
        yield _finding(
            "attention",
            f"{name} cannot be read: {one_line(own.problem)}",
            do="see that it is plugged in and that `device` in jobs.toml is right",
        )
    else:
        yield from _health(disk.device, name, own.superblock)
        yield from _next(scene, name, outlook, disk)
        yield from _memory(scene, name, outlook)
        yield from _policy(disk, name, own.superblock)


def _other(scene: Scene, own: Extfs, outlook: Outlook | None) -> Iterator[Finding]:
    name = f"filesystem {one_line(own.mount or own.place)} ({one_line(own.device)} of {scene.host})"
    if outlook is None:
        yield _finding("note", f"{name} cannot be read, so whether it is checked is not known: {one_line(own.problem)}")
    else:
        yield from _health(own.device, name, own.superblock)
        if outlook.forecast.why or _near(outlook):
            yield from _next(scene, name, outlook, None)
            yield from _memory(scene, name, outlook)


def _health(device: str, name: str, found: Superblock) -> Iterator[Finding]:
    damaged = "errors" in found.state or found.state.startswith("not clean")
    if damaged or found.errors:
        told = f"it says '{found.state}'" + (f", errors counted: {found.errors}" if found.errors else "")
        check = shlex.join(("e2fsck", "-f", "--", device))
        yield _finding("attention", f"{name} may be damaged: {told}", do=DAMAGED, command=check)


def _next(scene: Scene, name: str, outlook: Outlook, disk: Disk | None) -> Iterator[Finding]:
    why = outlook.forecast.why
    if why is None:
        yield from _later(scene, name, outlook)
        return
    lasts = _lasts(outlook)
    if disk and scene.has(Role.CHECK, disk):
        yield _finding("note", f"{name} is checked before the host goes down, since {why}; {lasts}")
    elif disk and scene.has(Role.PUT_OFF, disk):
        yield _finding("note", f"this boot does not check {name}, although {why}; the next one does")
    elif scene.stop:
        doubt = _not_as_asked(scene, outlook, disk)
        # The run's verdict is that of its findings: what it has outlasted itself must not stand there as undone.
        severity: Severity = "note" if scene.returns and not doubt else "attention"
        yield _finding(severity, f"the next boot checks {name}: {why}; {lasts}{doubt}", do=_leave(outlook))
    else:
        yield _finding("note", f"the next boot checks {name}: {why}; {lasts}")


def _later(scene: Scene, name: str, outlook: Outlook) -> Iterator[Finding]:
    due = tune2fs.will_check(outlook.found.superblock, scene.at)
    if outlook.never:
        if due:
            yield _finding("note", f"{name} would be checked, but no boot does it: {outlook.never}")
        return
    left = []
    block = outlook.found.superblock
    if block.next_check:
        left.append(f"from {block.next_check:%Y-%m-%d} on")
    if outlook.mounts is not None:
        left.append(f"after {count(outlook.mounts, 'more mount')}")
    if left:
        near = f", which is near; {_lasts(outlook)}" if scene.stop and _near(outlook) else ""
        yield _finding("note", f"a boot checks {name} {' or '.join(left)}{near}")


def _near(outlook: Outlook) -> bool:
    soon = outlook.left is not None and outlook.left <= NEAR
    return outlook.never is None and (soon or (outlook.mounts is not None and outlook.mounts <= NEAR_MOUNTS))


def _lasts(outlook: Outlook) -> str:
    least, most = outlook.forecast.least, outlook.forecast.most
    if least is None or most is None:
        return "how long that takes is not known: it can be many hours"
    return f"that takes {length(least)} to {length(most)} ({outlook.forecast.source})"


def _leave(outlook: Outlook) -> str:
    most = outlook.forecast.most
    span = "hours" if most is None else length(most)
    where = "the disk is not there" if outlook.found.nofail else "the host is not back"
    return f"leave {span} for it: until the check ends, {where}, and nobody may switch it off"


def _not_as_asked(scene: Scene, outlook: Outlook, disk: Disk | None) -> str:
    if disk is None or scene.when_due == "tell":
        return ""
    if outlook.cause == "damage":
        return "; damage is not put off, nor looked at without a person"
    if outlook.cause == "forced":
        return f"; that cannot be {'done before' if scene.when_due == 'forward' else 'put off'}"
    return f'; this job cannot do what when_due = "{scene.when_due}" asks: it keeps the disk in use, or only halts'


def _memory(scene: Scene, name: str, outlook: Outlook) -> Iterator[Finding]:
    checks = boot_checks.known(scene.facts, scene.host)
    have = checks.memory if checks else None
    if have and outlook.memory and outlook.forecast.why and outlook.memory > have * SPARE_MEMORY:
        text = f"checking {name} may take {size(outlook.memory)} of memory, and {scene.host} has {size(have)}"
        yield _finding("attention", text, do="see scratch_files in e2fsck.conf(5), or check it at a bigger machine")


def _policy(disk: Disk, name: str, found: Superblock) -> Iterator[Finding]:
    if disk.fsck_every is None:
        return
    days = tune2fs.whole_days(disk.fsck_every)
    if found.interval and tune2fs.whole_days(found.interval) == days:
        return
    wanted = f"jobs.toml says every {days} days"
    told = f"checked every {tune2fs.whole_days(found.interval)} days" if found.interval else "never checked"
    mend = shlex.join(tune2fs.check_every(disk.device, disk.fsck_every))
    yield _finding("attention", f"{name} is {told}, {wanted}", do=f"on {disk.host} run:", command=mend)


def _finding(severity: Severity, text: str, do: str = "", command: str = "") -> Finding:
    return Finding(severity=severity, text=text, source=SOURCE, do=do, command=command)
