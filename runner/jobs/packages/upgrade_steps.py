"""The steps of an upgrade up to the reboot: other updates, the held packages, the holds, and is it whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cmp_to_key

from runner.jobs.packages import agent
from runner.jobs.packages import findings as package_findings
from runner.jobs.packages import steps as package_steps
from runner.jobs.packages.debian import version as debian_version
from runner.jobs.packages.family import Family
from runner.jobs.packages.held import fits
from runner.jobs.packages.redhat import rpm
from runner.jobs.packages.steps import Work
from runner.jobs.power import before, rebooting
from runner.jobs.power.rebooting import RebootRequest
from runner.jobs.power.window import Objection
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.packages import Update
from runner.model.plan import Check, Effect, Finding, PlannedJob, Skip, Step, WaitFor
from runner.model.role import Role
from runner.model.site import Job, Site
from runner.tools import detached

# Packages that bring a kernel to boot, or build what it boots from.
_BOOTS = ("linux-image-*", "kernel", "kernel-core", "kernel-rt*", "kernel-uek*", "kernel-PAE*")
_LOOKED = 30

BEFORE = "before/"
# A host that was started this short a time ago need not be rebooted before an upgrade. It may have been
# checking a disk for most of that, and must not be rebooted once more when that is over.
_RECENT = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What an upgrade is to do: `others` first, then `upgraded`, for which the holds `free` are let go.

    `held` is held afterwards whatever came of it, `fresh` if it worked, `unheld` before everything else.
    `left` is what an earlier run began, `reboot` are reasons for a reboot already. `kernel`: one comes, and
    then `room` must be free in /boot, in bytes.
    """

    left: tuple[detached.Detached, ...] = ()
    others: tuple[Update, ...] = ()
    upgraded: tuple[Update, ...] = ()
    free: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    unheld: tuple[str, ...] = ()
    repairs: tuple[Step, ...] = ()
    reboot: tuple[str, ...] = ()
    kernel: bool = False
    room: int = 0


def boots(name: str) -> bool:
    """Whether the package of that name brings a kernel."""
    return fits(name, _BOOTS)


def named(family: Family, argv: Iterable[str]) -> tuple[str, ...]:
    """The packages that a carried command of ours named with their versions."""
    return tuple(dict.fromkeys(name for word in argv if (name := family.named(word))))


def steps(work: Work, wish: Wish) -> tuple[Step, ...]:
    """All of them, in order. The holds come back although anything before failed; nothing else does.

    The upgrade holds again by itself, at the host, so that the holds are back even where the
    connection is lost for good; the steps after it make sure, and prove it.
    """
    made = [*package_steps.attach(work, wish.left), *wish.repairs]
    made += package_steps.hold(work, wish.unheld, name="hold-first")
    if wish.others or wish.upgraded:
        made.append(
            work.step("refresh", work.family.refresh(work.host), "fetch the package lists").known_as(Role.REFRESH)
        )
    if wish.others:
        made += package_steps.install(work, "others", wish.others, effect=Effect.INTERRUPT)
    if wish.upgraded:
        made += _upgrade(work, wish)
    made += package_steps.hold(work, wish.held, despite=made)
    made += package_steps.verify(work, wish.held, despite=made)
    made += package_steps.hold(work, wish.fresh, name="hold-new")
    made += package_steps.look(work, (*wish.others, *wish.upgraded))
    guarded = package_steps.guarded(work, made, (*wish.others, *wish.upgraded))
    return (*guarded, *(_boot(work) if wish.kernel else ()))


def _upgrade(work: Work, wish: Wish) -> tuple[Step, ...]:
    argv = work.family.upgrade(work.host, wish.upgraded, wish.free, (*wish.held, *wish.fresh))
    why = f"upgrade what was held back, {package_steps.words(wish.upgraded)}, and hold it again"
    guard = agent.installable(work.program, work.host.name, work.family, wish.upgraded, wish.room if wish.kernel else 0)
    steps = package_steps.carried(work, "upgrade", argv, why, effect=Effect.INTERRUPT, guard=guard)
    return package_steps.known_as(Role.UPGRADE, steps)


def _boot(work: Work) -> tuple[Step, ...]:
    """A machine that finds nothing to boot comes back only by hand: see first that it will."""
    argv = detached.outdated(work.program)
    initrd = Check(
        host=work.host.name,
        argv=argv,
        field="initrd",
        relation="==",
        value=True,
        why="the newest kernel has what it boots from",
    )
    # None: no boot loader is known, so nothing is known against it.
    entry = Check(
        host=work.host.name,
        argv=argv,
        field="entry",
        relation="!=",
        value=False,
        why="the boot loader knows the newest kernel",
    )
    return tuple(
        Step(
            id=work.id(one.field),
            role=role,
            job=work.job.name,
            host=work.host.name,
            effect=Effect.READ,
            why=one.why,
            action=WaitFor(until=one, within=_LOOKED),
            timeout=_LOOKED * 4,
            needs=("packages",),
        )
        for one, role in ((initrd, Role.INITRD), (entry, Role.ENTRY))
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a host is rebooted, in words; `kernel` is the release that must run then, "" where none comes."""

    why: str
    kernel: str = ""


def probes(site: Site, job: Job) -> tuple[Probe, ...]:
    """What a reboot of the job's host must know."""
    host = site.host(job.host)
    return before.probes(site, host, database=rebooting.options_of(site, job.host).database)


def fresh(job: Job, facts: Facts) -> bool:
    """Whether the host was rebooted a short time ago, so that disks and boot are known to be good."""
    reading, host = facts.reading(job.host, "power.up"), facts.hosts.get(job.host)
    found = detached.parse_up(reading.out) if reading else None
    # By the host's own clock, which said when it was started; the controller's may be another.
    now = host.now if host and host.now else facts.at
    return bool(found and found.up_since and now - found.up_since < _RECENT)


def first(work: Work, facts: Facts) -> Draft:
    """Only the reboot that comes before: what then can be upgraded is planned when the host is back."""
    why = "see that the host comes back by itself, before anything is changed"
    asked = _asked(work, facts, BEFORE)
    if isinstance(asked, Objection):
        return _refused(work, (asked,))
    if wrong := rebooting.against(asked, work.now):
        return _refused(work, wrong)
    note = Finding(
        severity="note",
        source=work.job.name,
        text="this plan only reboots; what is upgraded is planned when the host is back",
    )
    planned = PlannedJob(
        name=work.job.name,
        kind=work.job.kind,
        after=work.job.after,
        locks=rebooting.locks(asked),
        headline=f"rebooted; the upgrade itself comes next: runner run {work.job.name}",
    )
    return Draft(planned=planned, steps=rebooting.steps(asked, why), findings=(note, *rebooting.known(asked)))


def after(work: Work, draft: Draft, facts: Facts, reason: Reason) -> Draft:
    """`draft` with the reboot at its end; nothing at all where the reboot may not be now.

    An upgrade that works already is waited for in any case: then only the reboot is left out.
    """
    asked = _asked(work, facts, "", reason.kernel)
    waits = any(step.detached and step.role == Role.ATTACH for step in draft.steps)
    wrong = (asked,) if isinstance(asked, Objection) else rebooting.against(asked, work.now)
    if isinstance(asked, Objection) or wrong:
        return replace(draft, findings=(*draft.findings, *_left_out(work, wrong))) if waits else _refused(work, wrong)
    if draft.planned is None:
        return draft
    own = {lock.resource for lock in draft.planned.locks}
    locks = (
        *(replace(lock, until=asked.id) for lock in draft.planned.locks),
        *(lock for lock in rebooting.locks(asked) if lock.resource not in own),
    )
    return replace(
        draft,
        planned=replace(draft.planned, locks=locks),
        findings=(*draft.findings, *rebooting.known(asked)),
        steps=(*draft.steps, *rebooting.steps(asked, reason.why)),
    )


def release(names: Iterable[tuple[str, str, str]]) -> str:
    """The release, as `uname -r` tells it, of the newest kernel among packages (name, version, architecture)."""
    debian: list[str] = []
    packages: list[rpm.Package] = []
    for name, version, arch in names:
        own = name.partition(":")[0].removeprefix("linux-image-")
        if name.startswith("linux-image-") and own[:1].isdecimal():
            debian.append(own.removesuffix("-unsigned"))
        elif rpm.is_kernel(name):
            packages.append(rpm.Package(name=name, arch=arch, version=version))
    if debian:
        return max(debian, key=cmp_to_key(debian_version.compare))
    return rpm.newest_kernel(packages, "")


def _asked(work: Work, facts: Facts, prefix: str, kernel: str = "") -> RebootRequest | Objection:
    found = before.read(work.job.host, facts)
    if isinstance(found, Objection):
        return found
    # What is only half there, or still works, is the business of this job's own steps; the step that looks
    # whether nothing is being written comes right before the reboot.
    alive = any(one.alive for one in package_steps.left(work.job, facts))
    found = replace(found, half="", busy="" if alive else found.busy)
    options = rebooting.options_of(work.site, work.job.host)
    return RebootRequest(
        site=work.site,
        job=work.job,
        options=options,
        facts=facts,
        before=found,
        prefix=prefix,
        kernel=kernel,
        upgraded=not prefix,
    )


def _refused(work: Work, wrong: Sequence[Objection]) -> Draft:
    findings = tuple(package_findings.refused(work.job, one.text, one.do) for one in wrong)
    return Draft(skip=Skip(job=work.job.name, reason=wrong[0].text), findings=findings)


def _left_out(work: Work, wrong: Sequence[Objection]) -> tuple[Finding, ...]:
    do = package_findings.command(work.site, "reboot", work.job.host)
    return tuple(
        Finding(severity="attention", source=work.job.name, text=f"no reboot after this: {one.text}", do=do)
        for one in wrong
    )
