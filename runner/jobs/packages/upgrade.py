"""Kind `upgrade`: what is held back is upgraded and held again, and the host rebooted: a person's job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from runner.jobs.packages import choice as package_choice
from runner.jobs.packages import findings as package_findings
from runner.jobs.packages import steps as package_steps
from runner.jobs.packages import upgrade_steps
from runner.jobs.packages.family import fits
from runner.jobs.packages.report import PackagesKind
from runner.jobs.packages.steps import PackageWork
from runner.jobs.packages.upgrade_steps import Upgrade
from runner.jobs.power import before, rebooting
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.options import UpgradeOptions
from runner.model.packages import Held, PackageFacts, Trouble, Update
from runner.model.plan import Finding
from runner.model.role import Phase
from runner.model.site import Job, Site
from runner.model.text import size
from runner.tools.detached import Detached


class UpgradeKind(PackagesKind):
    """The kind's entry in the catalogue."""

    name = "upgrade"
    options = UpgradeOptions

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """The host's packages, what earlier runs began there, and what a reboot must know."""
        database = rebooting.options_of(site, job.host).database
        reboot = before.probes(site, site.host(job.host), database=database)
        return (*package_steps.probes(site, job, self.families), *reboot)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """One literal plan: other updates, the held ones in exactly these versions, held again, reboot.

        What an earlier run began and lost sight of is taken up first: if it is still at work, this plan
        only waits for it, sees that the holds are back, and reboots where that is due.
        """
        work = package_steps.begun(site, job, facts, now, self.families)
        if isinstance(work, Draft):
            return work
        known = package_steps.read(work, facts)
        left = package_steps.left(job, facts)
        if any(command.alive for command in left):
            words = [word for command in left for word in command.argv]
            due = list(dict.fromkeys(update for word in words if (update := work.family.named(word))))
            kernel = any(fits(update.name, work.family.kernels) for update in due)
            upgrade = Upgrade(left=left, held=known.installed, kernel=kernel, reboot=known.reboot)
            return _drafted(work, upgrade, facts, due, ())
        if wrong := _against(work, known, left):
            first = next(iter(_in_the_way(known)), None)
            return package_findings.skipped(job, wrong, package_findings.short(first) if first else "")
        if job.options.reboot == "before and after" and not upgrade_steps.just_up(job, facts):
            return upgrade_steps.only_reboot(work, facts)
        return _upgrade(work, known, facts, left)


def _against(work: PackageWork, known: PackageFacts, left: Sequence[Detached]) -> tuple[Finding, ...]:
    """Why nothing may be done; each with what to do."""
    job = work.job
    wrong = [package_findings.refused(job, trouble.text, trouble.do) for trouble in _in_the_way(known)]
    if not known.fresh and not wrong:
        do = "see why in the plan of the job of kind updates: runner plan"
        wrong.append(package_findings.refused(job, "the package lists could not be fetched", do))
    every = (*known.held, *(Held(update=update) for update in known.updates))
    # What an earlier run was cut off from may have been upgraded by it.
    names = () if left else job.options.packages
    for name in package_choice.unknown(every, names):
        updates = ", ".join(dict.fromkeys(each.update.name for each in every)) or "nothing"
        text = f"{name} is not held back, and there is no update of it"
        wrong.append(package_findings.refused(job, text, f"there are updates of: {updates}"))
    return tuple(wrong)


def _in_the_way(known: PackageFacts) -> tuple[Trouble, ...]:
    mends = any(trouble.mends for trouble in known.troubles)
    in_the_way = frozenset({"lock"}) if mends else package_findings.IN_THE_WAY | {"lock"}
    return tuple(
        trouble for trouble in known.troubles if not trouble.mends and (trouble.what in in_the_way or not known.fresh)
    )


def _upgrade(work: PackageWork, known: PackageFacts, facts: Facts, left: tuple[Detached, ...]) -> Draft:
    job, names = work.job, work.job.options.packages
    choice = package_choice.choose(known, work.host.hold, "all")
    held = package_choice.set_free(choice.held, names)
    others = choice.install
    if names and work.family.only_named:
        others = tuple(update for update in others if update.name in names)
    if not (others or held or left):
        findings = package_findings.troubles(job, known.troubles)
        draft = work.draft(package_steps.look(work, ()), findings, "nothing to upgrade")
        doubt = any(map(package_findings.is_serious, known.troubles))
        return replace(draft, planned=draft.planned and replace(draft.planned, doubt=doubt))
    upgraded = tuple(each.update for each in held)
    due = (*others, *upgraded)
    kernels = [update.name for update in due if fits(update.name, work.family.kernels)]
    room = job.options.boot_room.bytes or 0
    if kernels and known.boot_free is not None and known.boot_free < room:
        text = f"/boot has {size(known.boot_free)} free, and {', '.join(kernels)} may need {size(room)}"
        do = "remove old kernels by hand, never the running one; or set boot_room"
        return package_findings.skipped(job, [package_findings.refused(job, text, do)])
    freed = {each.update.name for each in held} | {name for each in held for name in each.by}
    free = tuple(name for name in dict.fromkeys((*known.holds, *known.unheld, *known.stray)) if name in freed)
    again = tuple(dict.fromkeys((*known.installed, *free)))
    fresh = (update.name for update in upgraded if fits(update.name, work.host.hold))
    upgrade = Upgrade(
        left=left,
        others=others,
        upgraded=upgraded,
        free=free,
        held=again,
        unheld=known.unheld,
        fresh=tuple(name for name in fresh if name not in again),
        kernel=bool(kernels),
        room=room,
        repairs=package_steps.repair(work, known),
        reboot=known.reboot,
    )
    findings = (
        *package_findings.troubles(job, package_findings.replaced(known.troubles, due)),
        *package_findings.holds(work.site, job, known, facts, work.family),
        *package_findings.removals(job, known),
        *_notes(work, upgrade, [each.update.name for each in choice.held if each not in held]),
        *package_findings.notes(job, known, due, facts),
    )
    return _drafted(work, upgrade, facts, due, findings)


def _notes(work: PackageWork, upgrade: Upgrade, stay: Sequence[str]) -> list[Finding]:
    notes = []
    if upgrade.free:
        text = f"released for this, and held again: {', '.join(upgrade.free)}"
        notes.append(replace(package_findings.note(work.job, text), phase=Phase.FORECAST))
    if stay:
        notes.append(package_findings.note(work.job, f"stays held back: {', '.join(stay)}"))
    return notes


def _drafted(
    work: PackageWork, upgrade: Upgrade, facts: Facts, due: Sequence[Update], findings: tuple[Finding, ...]
) -> Draft:
    """The steps of `upgrade` and the reboot that is wanted, or needed already or because of what is `due`."""
    steps = upgrade_steps.steps(work, upgrade)
    attach = next((command.plan for command in upgrade.left if command.alive), "")
    draft = work.draft(steps, findings, attach=attach)
    when = work.job.options.reboot
    needed = [update.name for update in due if fits(update.name, work.patterns)]
    if when == "no" or (when == "if needed" and not needed and not upgrade.reboot):
        return draft
    why = f"run what was upgraded: {', '.join(needed)}" if needed else "; ".join(upgrade.reboot) or "after the upgrade"
    return upgrade_steps.with_reboot(work, draft, facts, why, work.family.kernel_release(due))
