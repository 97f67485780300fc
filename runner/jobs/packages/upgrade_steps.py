"""The steps of an upgrade: other updates, the held packages, the holds, and is it whole; and the reboots."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from runner.jobs.packages import agent
from runner.jobs.packages import findings as package_findings
from runner.jobs.packages import steps as package_steps
from runner.jobs.packages.steps import PackageWork
from runner.jobs.power import before, rebooting
from runner.jobs.power.request import RebootRequest, refused
from runner.jobs.power.window import Objection
from runner.model.facts import Facts
from runner.model.kind import Draft
from runner.model.packages import Update
from runner.model.plan import Check, Effect, Step, WaitFor
from runner.model.role import Role
from runner.model.site import Job
from runner.tools import detached

_LOOKED = 30

BEFORE = "before/"
# A host that was started this short a time ago need not be rebooted before an upgrade. It may have been
# checking a disk for most of that, and must not be rebooted once more when that is over.
_RECENT = timedelta(hours=24)


class Upgrade(NamedTuple):
    """What an upgrade is to do: `others` first, then `upgraded`, for which the holds `free` are released.

    `held` is held afterwards however that ended, `fresh` if it worked, `unheld` before everything else.
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


def steps(work: PackageWork, upgrade: Upgrade) -> tuple[Step, ...]:
    """All of them, in order. The holds come back although anything before failed; nothing else does.

    The upgrade holds again by itself, at the host, so that the holds are back even where the
    connection is lost for good; the steps after it make sure, and prove it.
    """
    updates = (*upgrade.others, *upgrade.upgraded)
    made = [*package_steps.attach(work, upgrade.left), *upgrade.repairs]
    made += package_steps.hold(work, upgrade.unheld, name="hold-first")
    if updates:
        fetch = work.family.refresh(work.host)
        made.append(work.step("refresh", fetch, "fetch the package lists", role=Role.REFRESH))
    if upgrade.others:
        made += package_steps.install(work, "others", upgrade.others, effect=Effect.INTERRUPT)
    if upgrade.upgraded:
        made += _upgrade(work, upgrade)
    made += package_steps.hold(work, upgrade.held, despite=made)
    made += package_steps.verify(work, upgrade.held, despite=made)
    made += package_steps.hold(work, upgrade.fresh, name="hold-new")
    made += package_steps.look(work, updates)
    return (*package_steps.guarded(work, made, updates), *(_boot(work) if upgrade.kernel else ()))


def _upgrade(work: PackageWork, upgrade: Upgrade) -> tuple[Step, ...]:
    argv = work.family.upgrade(work.host, upgrade.upgraded, upgrade.free, (*upgrade.held, *upgrade.fresh))
    why = f"upgrade what was held back, {package_steps.counted(upgrade.upgraded)}, and hold it again"
    room = upgrade.room if upgrade.kernel else 0
    guard = agent.installable(work.program, work.host.name, work.family, upgrade.upgraded, room)
    return work.detach(Role.UPGRADE, "upgrade", argv, why, Effect.INTERRUPT, guard)


def _boot(work: PackageWork) -> tuple[Step, ...]:
    """A machine that finds nothing to boot comes back only by hand: see first that it will."""
    argv, host = detached.outdated(work.program), work.host.name
    why = "the newest kernel has an initrd to boot from"
    initrd = Check(host=host, argv=argv, field="initrd", relation="==", value=True, why=why)
    # None: no boot loader is known, so nothing is known against it.
    why = "the boot loader knows the newest kernel"
    entry = Check(host=host, argv=argv, field="entry", relation="!=", value=False, why=why)
    return tuple(
        replace(
            work.step(check.field, argv, check.why, Effect.READ, role),
            action=WaitFor(until=check, within=_LOOKED),
            timeout=_LOOKED * 4,
        )
        for check, role in ((initrd, Role.INITRD), (entry, Role.ENTRY))
    )


def just_up(job: Job, facts: Facts) -> bool:
    """Whether the host was rebooted a short time ago, so that disks and boot are known to be good."""
    reading, host = facts.reading(job.host, "power.up"), facts.hosts.get(job.host)
    up = detached.parse_up(reading.out) if reading else None
    # By the host's own clock, which said when it was started; the controller's may be another.
    now = host.now if host and host.now else facts.at
    return bool(up and up.up_since and now - up.up_since < _RECENT)


def only_reboot(work: PackageWork, facts: Facts) -> Draft:
    """Only the reboot that comes before: what then can be upgraded is planned when the host is back."""
    reboot = _reboot(work, facts, BEFORE)
    if isinstance(reboot, Objection):
        return refused(work.job, (reboot,))
    if objections := rebooting.against(reboot, work.now):
        return refused(work.job, objections)
    why = "see that the host comes back by itself, before anything is changed"
    text = "this plan only reboots; what is upgraded is planned when the host is back"
    note = package_findings.note(work.job, text, "then run:", f"runner run {work.job.name}")
    headline = f"rebooted; the upgrade itself comes next: run {work.job.name} again"
    draft = work.draft((), (note, *rebooting.known(reboot)), headline)
    planned = replace(draft.planned, locks=rebooting.locks(reboot)) if draft.planned else None
    return replace(draft, planned=planned, steps=rebooting.steps(reboot, why))


def with_reboot(work: PackageWork, draft: Draft, facts: Facts, why: str, kernel: str) -> Draft:
    """`draft` with the reboot at its end; nothing at all where the reboot may not be now.

    `kernel` is the release that must run then, "" where none comes. An upgrade that is at work already is
    waited for in any case: then only the reboot is left out.
    """
    reboot = _reboot(work, facts, "", kernel)
    objections = (reboot,) if isinstance(reboot, Objection) else rebooting.against(reboot, work.now)
    if isinstance(reboot, Objection) or objections:
        if not any(step.detached and step.role == Role.ATTACH for step in draft.steps):
            return refused(work.job, objections)
        todo = package_findings.by_hand(work.site, "reboot", work.job.host)
        texts = [f"no reboot after this: {each.text}" for each in objections]
        left_out = [package_findings.attention(work.job, text, *todo) for text in texts]
        return replace(draft, findings=(*draft.findings, *left_out))
    if draft.planned is None:
        return draft
    own = {lock.resource for lock in draft.planned.locks}
    locks = (
        *(replace(lock, until=reboot.id) for lock in draft.planned.locks),
        *(lock for lock in rebooting.locks(reboot) if lock.resource not in own),
    )
    return replace(
        draft,
        planned=replace(draft.planned, locks=locks),
        findings=(*draft.findings, *rebooting.known(reboot)),
        steps=(*draft.steps, *rebooting.steps(reboot, why)),
    )


def _reboot(work: PackageWork, facts: Facts, prefix: str, kernel: str = "") -> RebootRequest | Objection:
    here = before.read(work.job.host, facts)
    if isinstance(here, Objection):
        return here
    # What is only half there, or is at work, is the business of this job's own steps; the step that looks
    # whether nothing is being written comes right before the reboot.
    alive = any(command.alive for command in package_steps.left(work.job, facts))
    return RebootRequest(
        site=work.site,
        job=work.job,
        options=rebooting.options_of(work.site, work.job.host),
        facts=facts,
        before=replace(here, half="", busy="" if alive else here.busy),
        prefix=prefix,
        kernel=kernel,
        upgraded=not prefix,
    )
