"""Kind `updates`: what can be upgraded without a person is, and the message says what cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from runner.jobs.packages import choice as package_choice
from runner.jobs.packages import findings as package_findings
from runner.jobs.packages import steps as package_steps
from runner.jobs.packages.choice import UpdateChoice
from runner.jobs.packages.family import Policy, fits
from runner.jobs.packages.report import NOT_ALL, PackagesKind
from runner.jobs.packages.steps import PackageWork
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.options import UpdatesOptions
from runner.model.packages import PackageFacts
from runner.model.plan import Finding, Step
from runner.model.role import Role
from runner.model.site import Job, Site
from runner.tools import detached


class UpdatesKind(PackagesKind):
    """The kind's entry in the catalogue."""

    name = "updates"
    options = UpdatesOptions

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """The host's packages, read without changing anything, and what earlier runs began there."""
        return package_steps.probes(site, job, self.families)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Install what the policy says and no hold touches; name what waits for a person.

        What an earlier run began and lost sight of is taken up first; while that is still at work,
        nothing else is begun.
        """
        work = package_steps.begun(site, job, facts, now, self.families)
        if isinstance(work, Draft):
            return work
        left = package_steps.left(job, facts)
        before = package_steps.attach(work, left)
        if any(command.alive for command in left):
            return work.draft(before, attach=left[-1].plan)
        others = package_steps.left_by_others(site, job, facts)
        if at_work := next((command for command in others if command.alive), None):
            return _waits(job, at_work)
        known = package_steps.read(work, facts)
        if locked := next((trouble for trouble in known.troubles if trouble.what == "lock"), None):
            findings = package_findings.troubles(job, (locked,))
            return package_findings.skipped(job, findings, package_findings.short(locked))
        readable = known.fresh or known.partly
        install = _choice(work, known).install if readable else ()
        troubles = package_findings.troubles if readable else package_findings.without_lists
        findings = (
            *troubles(job, package_findings.replaced(known.troubles, install)),
            *package_findings.holds(work.site, job, known, facts, work.family),
            *package_findings.cut_off(site, others),
            *(package_findings.no_security(job, known) if _policy(work) == "security" else ()),
        )
        if not readable:
            return _refresh_first(work, before, (*findings, *package_findings.notes(job, known, (), facts)))
        # What an archive lacks that did not answer is in the way of nothing that others have.
        in_the_way = package_findings.IN_THE_WAY - ({"signature"} if known.partly else set())
        stuck = next((trouble for trouble in known.troubles if trouble.what in in_the_way), None)
        repair = package_steps.repair(work, known, "repair-first")
        repair = tuple(replace(step, replans=step.role == Role.REPAIR) for step in repair)
        if stuck and (repair or install):
            if not repair and not before:
                return package_findings.skipped(job, findings, package_findings.short(stuck))
            return work.draft((*before, *repair), findings)
        return _install(work, known, before, (*findings, *_findings(work, known, facts)))


def _waits(job: Job, command: detached.Detached) -> Draft:
    """Another job of this runner is at work there; the next run makes this one up."""
    since = f", since {command.started:%Y-%m-%d %H:%M} UTC" if command.started else ""
    text = f"{command.job} is at work on the packages{since}"
    finding = package_findings.attention(job, text, "wait until it has ended; the next run makes up for this one")
    return package_findings.skipped(job, (finding,), "another job is at work on the packages")


def _refresh_first(work: PackageWork, before: tuple[Step, ...], findings: tuple[Finding, ...]) -> Draft:
    """Only fetch the lists: nothing can be planned by the old ones. If it works, the job is planned again."""
    why = "the lists could not be fetched for the plan: try once more, and keep the error"
    step = work.step("refresh-first", work.family.refresh(work.host), why, role=Role.REFRESH_FIRST)
    return work.draft((*before, replace(step, replans=True)), findings)


def _install(work: PackageWork, known: PackageFacts, before: tuple[Step, ...], findings: tuple[Finding, ...]) -> Draft:
    choice = _choice(work, known)
    steps = [*before, *package_steps.repair(work, known), *package_steps.hold(work, known.unheld)]
    if choice.install:
        fetch = work.family.refresh(work.host, partly=known.partly)
        step = work.step("refresh", fetch, "fetch the package lists", role=Role.REFRESH)
        # The same archive may still not answer; that each version can be had is asked before it is installed.
        steps.append(replace(step, ok_codes=(0, *work.family.not_all)) if known.partly else step)
        steps += package_steps.install(work, "install", choice.install)
    if choice.install or known.services:
        steps += [_restart(work, unit) for unit in work.job.options.restart]
    steps += package_steps.look(work, choice.install)
    steps = list(package_steps.guarded(work, steps, choice.install))
    waiting = package_findings.update_lines(choice.later) if _policy(work) == "nothing" else ()
    draft = work.draft(steps, findings, _headline(work, choice, known))
    planned = draft.planned and replace(draft.planned, details=waiting, partly=known.partly, doubt=_doubt(work, known))
    return replace(draft, planned=planned)


def _doubt(work: PackageWork, known: PackageFacts) -> bool:
    blind = _policy(work) == "security" and bool(package_findings.no_security(work.job, known))
    return blind or any(map(package_findings.is_serious, known.troubles))


def _choice(work: PackageWork, known: PackageFacts) -> UpdateChoice:
    choice = package_choice.choose(known, work.host.hold, _policy(work))
    if all(trouble.what != "boot full" for trouble in known.troubles):
        return choice
    # What writes to /boot would leave packages half configured, and perhaps nothing to boot from.
    fills = tuple(update for update in choice.install if fits(update.name, work.family.fill_boot))
    install = tuple(update for update in choice.install if update not in fills)
    return choice._replace(install=install, later=(*fills, *choice.later))


def _policy(work: PackageWork) -> Policy:
    options: UpdatesOptions = work.job.options
    return options.install or work.family.policy


def _findings(work: PackageWork, known: PackageFacts, facts: Facts) -> tuple[Finding, ...]:
    choice, job = _choice(work, known), work.job
    due = [update for update in choice.install if fits(update.name, work.patterns)]
    return (
        *package_findings.held(work.site, job, choice.held),
        *package_findings.reboot(work.site, job, known.reboot, due),
        *package_findings.removals(job, known),
        *_later(work, choice),
        *package_findings.notes(job, known, choice.install, facts),
    )


def _later(work: PackageWork, choice: UpdateChoice) -> tuple[Finding, ...]:
    """What could be installed and is not, by policy: a person's turn where the policy is to install nothing."""
    if not choice.later:
        return ()
    todo = package_findings.by_hand(work.site, "upgrade", work.host.name)
    text = package_findings.waiting(choice.later)
    if _policy(work) == "nothing":
        return (package_findings.attention(work.job, text, *todo),)
    return (package_findings.note(work.job, f"{text}, which this job does not install", *todo),)


def _headline(work: PackageWork, choice: UpdateChoice, known: PackageFacts) -> str:
    less = f"; {NOT_ALL}" if known.partly else ""
    less += "; some are hidden there" if any(trouble.what == "hidden" for trouble in known.troubles) else ""
    policy = _policy(work)
    if not choice.later or policy != "nothing":
        sort = "security update" if policy == "security" else "update"
        held = [each.update for each in choice.held]
        waiting = f"; {package_findings.waiting(held, ' for a person')}" if held else ""
        return f"no {sort} for {work.host.name}, by package lists fetched just now{waiting}{less}"
    return f"{package_findings.waiting(choice.later)}{less}"


def _restart(work: PackageWork, name: str) -> Step:
    unit = name if "." in name else f"{name}.service"
    why = f"{unit} still runs files that an update replaced"
    step = work.step(f"restart-{unit}", ("systemctl", "restart", "--", unit), why, role=Role.RESTART)
    return replace(step, unless=detached.runs_new(work.program, work.host.name, unit), subject=unit)
