"""Kind `upgrade`: what is held back is upgraded and held again, and the host rebooted: a person's job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from runner.jobs.bundled import Bundled
from runner.jobs.packages import findings as package_choice
from runner.jobs.packages import findings as package_findings
from runner.jobs.packages import steps as package_steps
from runner.jobs.packages import upgrade_steps
from runner.jobs.packages.families import FAMILIES
from runner.jobs.packages.held import fits
from runner.jobs.packages.report import packages_report
from runner.jobs.packages.steps import Work
from runner.jobs.packages.upgrade_steps import Reason, Wish
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.options import UpgradeOptions
from runner.model.packages import Held, PackageFacts, Trouble, Update
from runner.model.plan import Finding, PlannedJob, Skip
from runner.model.role import Phase
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Job, Site
from runner.model.text import size
from runner.report.default import default_report
from runner.tools.detached import Detached

# With these nothing can be upgraded, or should be.
_IN_THE_WAY = frozenset(("broken", "disk full", "signature"))


class UpgradeKind(Bundled):
    """The kind's entry in the catalogue. `families` is the table of families that it knows: see `families`."""

    name = "upgrade"
    options = UpgradeOptions

    def __init__(self, families: Mapping[str, str] = FAMILIES) -> None:
        self._families = families

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """The host's packages, what earlier runs began there, and what a reboot must know."""
        return (*package_steps.probes(site, job, self._families), *upgrade_steps.probes(site, job))

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """One literal plan: other updates, the held ones in exactly these versions, held again, reboot.

        What an earlier run began and lost sight of is taken up first: if it still works, this plan
        only waits for it, sees that the holds are back, and reboots where that is due.
        """
        work = package_steps.work(site, job, now, self._families)
        if isinstance(work, Draft):
            return work
        if unread := package_steps.unread(work, facts):
            return unread
        found = package_steps.read(work, facts)
        left = package_steps.left(job, facts)
        if any(one.alive for one in left):
            names = [name for one in left for name in upgrade_steps.named(work.family, one.argv)]
            due = [Update(name=name, arch="", old="", new="") for name in names]
            kernel = any(upgrade_steps.boots(name) for name in names)
            wish = Wish(left=left, held=found.installed, kernel=kernel, reboot=found.reboot)
            return _planned(work, wish, facts, due, ())
        if wrong := _against(work, found, left):
            return Draft(skip=Skip(job=job.name, reason=_short(found, wrong)), findings=wrong)
        if job.options.reboot == "before and after" and not upgrade_steps.fresh(job, facts):
            return upgrade_steps.first(work, facts)
        return _upgrade(work, found, facts, left)

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return packages_report(job, outcomes) or default_report(job, outcomes, around)


def _against(work: Work, found: PackageFacts, left: Sequence[Detached]) -> tuple[Finding, ...]:
    """Why nothing may be done; each with what to do."""
    job = work.job
    wrong = [package_findings.refused(job, trouble.text, trouble.do) for trouble in _in_the_way(found)]
    if not found.fresh and not wrong:
        do = "see why with: runner plan, and the job of kind updates"
        wrong.append(package_findings.refused(job, "the package lists could not be fetched", do))
    every = (*found.held, *(Held(update=one) for one in found.updates))
    # What an earlier run was cut off from may have been upgraded by it.
    names = () if left else job.options.packages
    for name in package_choice.unknown(every, names):
        known = ", ".join(dict.fromkeys(one.update.name for one in every)) or "nothing"
        text = f"{name} is not held back, and there is no update of it"
        wrong.append(package_findings.refused(job, text, f"there are updates of: {known}"))
    return tuple(wrong)


def _in_the_way(found: PackageFacts) -> tuple[Trouble, ...]:
    mends = any(trouble.mends for trouble in found.troubles)
    return tuple(
        trouble
        for trouble in found.troubles
        if not trouble.mends
        and (trouble.what == "lock" or (trouble.what in _IN_THE_WAY and not mends) or not found.fresh)
    )


def _short(found: PackageFacts, wrong: Sequence[Finding]) -> str:
    first = next(iter(_in_the_way(found)), None)
    return package_findings.short(first) if first else wrong[0].text


def _upgrade(work: Work, found: PackageFacts, facts: Facts, left: tuple[Detached, ...]) -> Draft:
    job, names = work.job, work.job.options.packages
    choice = package_choice.choose(found, work.host.hold, "all")
    held = package_choice.chosen(choice.held, names)
    others = choice.install
    if names and work.family.only_named:
        others = tuple(one for one in others if one.name in names)
    if not (others or held or left):
        return _nothing(work, found)
    upgraded = tuple(one.update for one in held)
    kernel = [one.name for one in (*others, *upgraded) if upgrade_steps.boots(one.name)]
    room = job.options.boot_room.bytes or 0
    if kernel and found.boot_free is not None and found.boot_free < room:
        text = f"/boot has {size(found.boot_free)} free, and {', '.join(kernel)} may need {size(room)}"
        do = "remove kernels that are no longer needed by hand, never the running one; or set boot_room"
        return Draft(skip=Skip(job=job.name, reason=text), findings=(package_findings.refused(job, text, do),))
    freed = {one.update.name for one in held} | {name for one in held for name in one.by}
    free = tuple(name for name in dict.fromkeys((*found.holds, *found.unheld, *found.stray)) if name in freed)
    again = tuple(dict.fromkeys((*found.installed, *free)))
    fresh = (one.name for one in upgraded if fits(one.name, work.host.hold))
    wish = Wish(
        left=left,
        others=others,
        upgraded=upgraded,
        free=free,
        held=again,
        unheld=found.unheld,
        fresh=tuple(name for name in fresh if name not in again),
        kernel=bool(kernel),
        room=room,
        repairs=package_steps.repair(work, found),
        reboot=found.reboot,
    )
    findings = (
        *package_findings.troubles(job, package_findings.replaced(found.troubles, (*others, *upgraded))),
        *package_findings.holds(work.site, job, found, facts, work.family),
        *package_findings.removals(job, found),
        *_noted(work, wish, choice.held, held),
        *package_findings.notes(job, found, (*others, *upgraded), facts),
    )
    return _planned(work, wish, facts, (*others, *upgraded), findings)


def _noted(work: Work, wish: Wish, held: tuple[Held, ...], chosen: tuple[Held, ...]) -> tuple[Finding, ...]:
    said: list[tuple[str, Phase]] = []
    if wish.free:
        said.append((f"let go of for this, and held again: {', '.join(wish.free)}", Phase.FORECAST))
    stay = [one.update.name for one in held if one not in chosen]
    said += [(f"stays held back: {', '.join(stay)}", Phase.PLAN)] if stay else []
    return tuple(Finding(severity="note", source=work.job.name, text=text, phase=phase) for text, phase in said)


def _nothing(work: Work, found: PackageFacts) -> Draft:
    steps = package_steps.look(work, ())
    planned = PlannedJob(name=work.job.name, kind=work.job.kind, after=work.job.after, headline="nothing to upgrade")
    findings = package_findings.troubles(work.job, found.troubles)
    return Draft(planned=planned, steps=steps, findings=findings)


def _planned(work: Work, wish: Wish, facts: Facts, due: Sequence[Update], findings: tuple[Finding, ...]) -> Draft:
    """The steps of `wish` and the reboot that is wanted, or needed already or because of what is `due`."""
    steps = upgrade_steps.steps(work, wish)
    locks = package_steps.locks(work, steps, next((one.plan for one in wish.left if one.alive), ""))
    planned = PlannedJob(name=work.job.name, kind=work.job.kind, after=work.job.after, locks=locks)
    draft = Draft(planned=planned, steps=steps, findings=findings)
    when = work.job.options.reboot
    needed = tuple(one.name for one in due if fits(one.name, package_steps.patterns(work.job)))
    if when == "no" or (when == "if needed" and not needed and not wish.reboot):
        return draft
    why = f"run what was upgraded: {', '.join(needed)}" if needed else "; ".join(wish.reboot) or "after the upgrade"
    kernel = upgrade_steps.release((one.name, one.new, one.arch) for one in due)
    return upgrade_steps.after(work, draft, facts, Reason(why=why, kernel=kernel))
