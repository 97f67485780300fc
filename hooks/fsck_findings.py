"""What the fsck hook finds in a plan: the health of each disk, its next check, how long that takes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hooks.fsck_steps import SOURCE
from runner.jobs.disks import tune2fs
from runner.jobs.disks.tune2fs import Superblock
from runner.jobs.power import agent_checks, boot_checks
from runner.jobs.power.agent_checks import Extfs
from runner.jobs.power.boot_checks import Outlook
from runner.model.cause import Fault, of_store
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
    """What the findings are about: the plan, the host, and the step that ends its boot, None where none does."""

    site: Site
    plan: Plan
    facts: Facts
    host: str
    stop: Step | None
    when_due: str

    @property
    def at(self) -> datetime:
        """When the boot is."""
        return boot_checks.when(self.facts, self.stop.job) if self.stop else self.facts.at

    @property
    def returns(self) -> bool:
        """Whether the plan sees the host through that boot itself, and so leaves nobody anything to do."""
        return self.stop is not None and self.stop.role == Role.DOWN

    def has(self, role: Role, disk: Disk) -> bool:
        """Whether the job that ends the boot has such a step for a disk."""
        key = (self.stop.job if self.stop else "", role, disk.name)
        return any((step.job, step.role, step.subject) == key for step in self.plan.steps)


def findings(site: Site, plan: Plan, facts: Facts, when_due: str) -> Iterator[Finding]:
    """All that there is about a plan; where it ends no boot, about the declared disks only."""
    stops = {step.host: step for step in reversed(plan.steps) if _ends_boot(step)}
    hosts = dict.fromkeys((*(disk.host for disk in site.disks), *stops))
    if hosts and not plan.live:
        yield _finding("note", "the sandbox has no disks to check")
        return
    for host in hosts:
        yield from _host(Scene(site=site, plan=plan, facts=facts, host=host, stop=stops.get(host), when_due=when_due))


def _ends_boot(step: Step) -> bool:
    return step.effect == Effect.INTERRUPT and "power" in step.needs and "device" not in step.needs


def _host(scene: Scene) -> Iterator[Finding]:
    checks = boot_checks.known(scene.facts, scene.host)
    filesystems = checks.filesystems if checks else ()
    boot = boot_checks.outlooks(scene.site, scene.facts, scene.host, scene.at)
    outlooks = {outlook.extfs.seen.device: outlook for outlook in boot}
    for disk in scene.site.disks:
        if disk.host == scene.host and not _is_made(disk, scene.plan):
            own = next((extfs for extfs in filesystems if disk.device in extfs.seen.devices), None)
            yield from _disk(scene, disk, own, outlooks.get(own.seen.device) if own else None)
    for extfs in filesystems if scene.stop else ():
        if not extfs.seen.devices:
            yield from _other(scene, extfs, outlooks.get(extfs.seen.device))


def _is_made(disk: Disk, plan: Plan) -> bool:
    """Whether this very plan makes the disk: what is on it now is of no interest then."""
    return any(step.role == Role.FORMAT and step.subject == disk.name and step.host == disk.host for step in plan.steps)


def _disk(scene: Scene, disk: Disk, own: Extfs | None, outlook: Outlook | None) -> Iterator[Finding]:
    name = f"disk {disk.name} ({disk.device} of {disk.host})"
    if own is None:
        # A host that did not answer has a line of its own; an answer without the disk is for a person.
        asked = scene.facts.reading(scene.host, agent_checks.ID) is not None
        do = "see at its host what `runner-agent boot-checks` says" if asked else ""
        text = f"{name} was not read, so its next check is not known"
        yield _finding("attention" if asked else "note", text, do)
    elif outlook is None:
        do = "see that it is plugged in and that `device` in jobs.toml is right"
        gone = _finding("attention", f"{name} cannot be read: {one_line(own.problem)}", do)
        yield replace(gone, cause=_cause(scene, disk))
    else:
        yield from _health(disk.device, name, own.superblock)
        yield from _next(scene, name, outlook, disk)
        yield from _memory(scene, name, outlook)
        yield from _policy(disk, name, own.superblock)


def _cause(scene: Scene, disk: Disk) -> str:
    """That of the store on the disk, where that cannot be used either: it is the same trouble."""
    host = scene.facts.hosts.get(disk.host)
    known = host.stores if host else {}
    stores = [store.name for store in scene.site.stores if store.disk == disk.name and store.name in known]
    return next((of_store(name, Fault.UNUSABLE) for name in stores if known[name].problem), "")


def _other(scene: Scene, own: Extfs, outlook: Outlook | None) -> Iterator[Finding]:
    place, device = own.seen.mount or own.seen.at, own.seen.device
    name = f"filesystem {one_line(place)} ({one_line(device)} of {scene.host})"
    if outlook is None:
        yield _finding("note", f"{name} cannot be read, so whether it is checked is not known: {one_line(own.problem)}")
    else:
        yield from _health(device, name, own.superblock)
        if outlook.forecast.why or _near(outlook):
            yield from _next(scene, name, outlook, None)
            yield from _memory(scene, name, outlook)


def _health(device: str, name: str, block: Superblock) -> Iterator[Finding]:
    damage = tune2fs.damage(block)
    if damage or block.errors:
        state = damage if damage and block.state == "clean" else f"its state is '{block.state}'"
        state += f", errors counted: {block.errors}" if block.errors else ""
        check = shlex.join(("e2fsck", "-f", "--", device))
        yield _finding("attention", f"{name} may be damaged: {state}", DAMAGED, check)


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
        doubt = _not_as_declared(scene, outlook, disk)
        # The run's verdict is that of its findings: what it has outlasted itself must not stand there as undone.
        severity: Severity = "note" if scene.returns and not doubt else "attention"
        yield _finding(severity, f"the next boot checks {name}: {why}; {lasts}{doubt}", _leave(outlook))
    else:
        yield _finding("note", f"the next boot checks {name}: {why}; {lasts}")


def _later(scene: Scene, name: str, outlook: Outlook) -> Iterator[Finding]:
    block = outlook.extfs.superblock
    if outlook.never:
        if tune2fs.will_check(block, scene.at):
            yield _finding("note", f"{name} would be checked, but no boot does it: {outlook.never}")
        return
    left = []
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
    where = "the disk is not there" if outlook.extfs.seen.nofail else "the host is not back"
    return f"leave {span} for it: until the check ends, {where}, and nobody may switch it off"


def _not_as_declared(scene: Scene, outlook: Outlook, disk: Disk | None) -> str:
    if disk is None or scene.when_due == "tell":
        return ""
    if outlook.cause == "damage":
        return "; damage is never put off, nor checked without a person"
    if outlook.cause == "forced":
        return f"; that cannot be {'done before' if scene.when_due == 'forward' else 'put off'}"
    return f'; this job cannot do what when_due = "{scene.when_due}" asks: it keeps the disk in use, or only halts'


def _memory(scene: Scene, name: str, outlook: Outlook) -> Iterator[Finding]:
    checks = boot_checks.known(scene.facts, scene.host)
    memory = checks.answer.memory if checks else None
    if memory and outlook.memory and outlook.forecast.why and outlook.memory > memory * SPARE_MEMORY:
        text = f"checking {name} may take {size(outlook.memory)} of memory, and {scene.host} has {size(memory)}"
        yield _finding("attention", text, "see scratch_files in e2fsck.conf(5), or check it on a bigger machine")


def _policy(disk: Disk, name: str, block: Superblock) -> Iterator[Finding]:
    if disk.fsck_every is None:
        return
    days = tune2fs.whole_days(disk.fsck_every)
    now = tune2fs.whole_days(block.interval) if block.interval else 0
    if now != days:
        state = f"checked every {now} days" if now else "never checked"
        mend = shlex.join(tune2fs.check_every(disk.device, disk.fsck_every))
        text = f"{name} is {state}, jobs.toml says every {days} days"
        yield _finding("attention", text, f"on {disk.host} run:", mend)


def _finding(severity: Severity, text: str, do: str = "", command: str = "") -> Finding:
    return Finding(severity=severity, text=text, source=SOURCE, do=do, command=command)
