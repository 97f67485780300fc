"""Kind `updates`: what can be upgraded without a person is, and the message says what cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from runner.jobs.bundled import Bundled
from runner.jobs.packages import findings as package_choice
from runner.jobs.packages import findings as package_findings
from runner.jobs.packages import steps as package_steps
from runner.jobs.packages.families import FAMILIES
from runner.jobs.packages.family import Policy
from runner.jobs.packages.findings import Choice
from runner.jobs.packages.held import fits
from runner.jobs.packages.report import NOT_ALL, packages_report, update_lines
from runner.jobs.packages.steps import Work
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.options import UpdatesOptions
from runner.model.packages import PackageFacts
from runner.model.plan import Finding, PlannedJob, Skip, Step
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Job, Site
from runner.report.default import default_report
from runner.tools import detached

# With these nothing can be installed, or should be.
_WRITES_BOOT = ("linux-image*", "initramfs-tools*", "kernel*", "dracut*", "firmware-*", "linux-firmware", "*microcode*")
_IN_THE_WAY = frozenset(("broken", "disk full", "signature"))


class UpdatesKind(Bundled):
    """The kind's entry in the catalogue. `families` is the table of families that it knows: see `families`."""

    name = "updates"
    options = UpdatesOptions

    def __init__(self, families: Mapping[str, str] = FAMILIES) -> None:
        self._families = families

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """The host's packages, read without changing anything, and what earlier runs began there."""
        return package_steps.probes(site, job, self._families)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Install what the policy says and no hold touches; name what waits for a person.

        What an earlier run began and lost sight of is taken up first; while that still works,
        nothing else is begun.
        """
        work = package_steps.work(site, job, now, self._families)
        if isinstance(work, Draft):
            return work
        if unread := package_steps.unread(work, facts):
            return unread
        left = package_steps.left(job, facts)
        if any(one.alive for one in left):
            return _planned(work, package_steps.attach(work, left), (), attach=left[-1].plan)
        found = package_steps.read(work, facts)
        before = package_steps.attach(work, left)
        others = package_steps.left_by_others(site, job, facts)
        if at_work := next((one for one in others if one.alive), None):
            return _waits(job, at_work)
        if locked := next((one for one in found.troubles if one.what == "lock"), None):
            findings = package_findings.troubles(job, (locked,))
            return Draft(skip=Skip(job=job.name, reason=package_findings.short(locked)), findings=findings)
        known = found.fresh or found.partly
        install = _choice(work, found).install if known else ()
        told = (
            *package_findings.troubles(job, package_findings.replaced(found.troubles, install)),
            *package_findings.holds(work.site, job, found, facts, work.family),
            *package_findings.cut_off(site, others),
        )
        if not known:
            return _refresh_first(work, before, (*told, *package_findings.notes(job, found, (), facts)))
        # What an archive lacks that did not answer is in the way of nothing that others have.
        in_the_way = _IN_THE_WAY - {"signature"} if found.partly else _IN_THE_WAY
        stuck = next((one for one in found.troubles if one.what in in_the_way), None)
        mended = package_steps.repair(work, found, "repair-first")
        mended = tuple(replace(one, replans=one.role == Role.REPAIR) for one in mended)
        if stuck and (mended or install):
            if not mended and not before:
                return Draft(skip=Skip(job=job.name, reason=package_findings.short(stuck)), findings=told)
            return _planned(work, (*before, *mended), told)
        return _install(work, found, before, (*told, *_known(work, found, facts)))

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return packages_report(job, outcomes) or default_report(job, outcomes, around)


def _waits(job: Job, one: detached.Detached) -> Draft:
    """Another job of this runner is at work there; the next run makes this one up."""
    since = f", since {one.started:%Y-%m-%d %H:%M} UTC" if one.started else ""
    text = f"{one.job} is at work on the packages{since}"
    finding = Finding(
        severity="attention", source=job.name, text=text, do="let it come to its end; the next run makes this up"
    )
    return Draft(skip=Skip(job=job.name, reason="another job is at work on the packages"), findings=(finding,))


def _refresh_first(work: Work, before: tuple[Step, ...], findings: tuple[Finding, ...]) -> Draft:
    """Only fetch the lists: what the old ones say would be no truth. If it works, the job is planned again."""
    why = "the lists could not be fetched for the plan: try once more, and keep what went wrong"
    step = work.step("refresh-first", work.family.refresh(work.host), why).known_as(Role.REFRESH_FIRST)
    return _planned(work, (*before, replace(step, replans=True)), findings)


def _install(work: Work, found: PackageFacts, before: tuple[Step, ...], findings: tuple[Finding, ...]) -> Draft:
    choice = _choice(work, found)
    steps = [*before, *package_steps.repair(work, found), *package_steps.hold(work, found.unheld)]
    if choice.install:
        fetch = work.family.refresh(work.host, partly=found.partly)
        step = work.step("refresh", fetch, "fetch the package lists").known_as(Role.REFRESH)
        # The same archive may still not answer; that each version can be had is asked before it is installed.
        steps.append(replace(step, ok_codes=(0, *work.family.not_all)) if found.partly else step)
        steps += package_steps.install(work, "install", choice.install)
    if choice.install or found.services:
        steps += [_restart(work, unit) for unit in work.job.options.restart]
    steps += package_steps.look(work, choice.install)
    steps = list(package_steps.guarded(work, steps, choice.install))
    draft = _planned(work, steps, findings, headline=_headline(work, choice, found.partly))
    if choice.later and _policy(work) == "nothing" and draft.planned:
        draft = replace(draft, planned=replace(draft.planned, details=update_lines(choice.later)))
    return _partly(draft) if found.partly else draft


def _choice(work: Work, found: PackageFacts) -> Choice:
    choice = package_choice.choose(found, work.host.hold, _policy(work))
    if all(one.what != "boot full" for one in found.troubles):
        return choice
    # What writes to /boot would leave packages half configured, and perhaps nothing to boot from.
    fills = tuple(one for one in choice.install if fits(one.name, _WRITES_BOOT))
    install = tuple(one for one in choice.install if one not in fills)
    return replace(choice, install=install, later=(*fills, *choice.later))


def _policy(work: Work) -> Policy:
    options: UpdatesOptions = work.job.options
    return options.install or work.family.policy


def _known(work: Work, found: PackageFacts, facts: Facts) -> tuple[Finding, ...]:
    choice, job = _choice(work, found), work.job
    due = [one for one in choice.install if fits(one.name, package_steps.patterns(job))]
    return (
        *package_findings.held(work.site, job, choice.held),
        *package_findings.reboot(work.site, job, found.reboot, due),
        *package_findings.removals(job, found),
        *_later(work, choice),
        *package_findings.notes(job, found, choice.install, facts),
    )


def _later(work: Work, choice: Choice) -> tuple[Finding, ...]:
    """What could be installed and is not, by policy: a person's turn where the policy is to install nothing."""
    if not choice.later:
        return ()
    do = package_findings.command(work.site, "upgrade", work.host.name)
    text = package_findings.notice(choice.later)
    if _policy(work) == "nothing":
        return (Finding(severity="attention", source=work.job.name, text=text, do=do),)
    return (Finding(severity="note", source=work.job.name, text=f"{text}, and not for this job", do=do),)


def _headline(work: Work, choice: Choice, partly: bool) -> str:
    less = f"; {NOT_ALL}" if partly else ""
    policy = _policy(work)
    if not choice.later or policy != "nothing":
        sort = "security update" if policy == "security" else "update"
        held = [one.update for one in choice.held]
        waiting = f"; {package_findings.notice(held, ' for a person')}" if held else ""
        return f"no {sort} for {work.host.name}, by package lists fetched just now{waiting}{less}"
    return f"{package_findings.notice(choice.later)}{less}"


def _restart(work: Work, name: str) -> Step:
    unit = name if "." in name else f"{name}.service"
    why = f"{unit} still runs files that an update replaced"
    fresh = detached.runs_new(work.program, work.host.name, unit)
    return work.step(f"restart-{unit}", ("systemctl", "restart", "--", unit), why, unless=fresh).known_as(
        Role.RESTART, unit
    )


def _planned(
    work: Work, steps: Sequence[Step], findings: tuple[Finding, ...], *, headline: str = "", attach: str = ""
) -> Draft:
    locks = package_steps.locks(work, steps, attach)
    planned = PlannedJob(name=work.job.name, kind="updates", after=work.job.after, locks=locks, headline=headline)
    return Draft(planned=planned, steps=tuple(steps), findings=findings)


def _partly(draft: Draft) -> Draft:
    """The same, from the lists of some archives only."""
    return replace(draft, planned=replace(draft.planned, partly=True) if draft.planned else None)
