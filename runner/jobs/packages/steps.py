"""The steps that the kinds `updates` and `upgrade` share, and how they take up what was cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from runner.jobs.packages import agent, findings, outdated
from runner.jobs.packages.families import FAMILIES, family, words
from runner.jobs.packages.family import Family
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.packages import PackageFacts, Update
from runner.model.plan import Argv, Check, Command, Effect, Finding, Lock, PlannedJob, Skip, Step
from runner.model.role import Role
from runner.model.site import Host, Job, Site
from runner.model.text import count, one_line
from runner.tools import agent as store
from runner.tools import detached

DETACHED = "packages.detached"
KINDS = ("updates", "upgrade")
_MARGIN = 120
# However a run of before ended, that must not end the job of today; 255 is ssh's own.
_ANY_END = tuple(range(255))


class PackageWork(NamedTuple):
    """What all steps of a job have in common; `within` is how long a detached one is waited for."""

    site: Site
    job: Job
    host: Host
    family: Family
    now: datetime
    within: timedelta

    @property
    def program(self) -> str:
        """Where runner-agent is on the host."""
        return store.program(self.host)

    @property
    def plan(self) -> str:
        """The id of the plan."""
        return plan_id(self.now)

    @property
    def patterns(self) -> tuple[str, ...]:
        """Packages whose change needs a reboot: those that the job names, or the family's own list."""
        return tuple(self.job.options.reboot_for) or self.family.need_reboot

    @property
    def patience(self) -> int:
        """For how many seconds a detached step is waited for."""
        return int(self.within.total_seconds()) + _MARGIN

    def id(self, name: str) -> str:
        """The id of this job's step of that name."""
        return f"{self.job.name}/{name}"

    def step(self, name: str, argv: Argv, why: str, effect: Effect = Effect.WRITE, role: Role = Role.STEP) -> Step:
        """A step of this job on its host."""
        return Step(
            id=self.id(name),
            job=self.job.name,
            host=self.host.name,
            action=Command(argv=argv),
            effect=effect,
            why=why,
            needs=("packages",),
            role=role,
        )

    def detach(
        self, role: Role, name: str, argv: Argv, why: str, effect: Effect = Effect.WRITE, guard: Check | None = None
    ) -> tuple[Step, Step]:
        """A step that goes on at the host when the connection is lost, and the one that notes that its end was seen.

        It is never killed for taking long.
        """
        order = detached.run(self.program, self.plan, self.id(name), argv, packages=self.family.lists)
        step = self.step(name, order, why, effect, role)
        step = replace(step, guard=guard, timeout=self.patience, detached=True)
        return (step, self.seen(name, self.plan, step.id))

    def seen(self, name: str, plan: str, step: str) -> Step:
        """Note at the host that the end of `step` of `plan` was seen; only if it has ended."""
        over = Check(
            host=self.host.name,
            argv=detached.again(self.program, plan, step, within=1),
            field="detached",
            relation="==",
            value=True,
            why="it has ended",
        )
        why = f"note at the host that the end of {name} was seen"
        note = self.step(f"{name}-seen", detached.note_seen(self.program, plan, step), why, role=Role.SEEN)
        return replace(note, guard=over, despite=(self.id(name),))

    def draft(
        self, steps: Sequence[Step] = (), findings: Sequence[Finding] = (), headline: str = "", attach: str = ""
    ) -> Draft:
        """The job with these steps, and with the lock of the host's packages where one of them changes anything.

        With `attach` the lock may be taken while that plan's command works.
        """
        who = f"{self.job.name} of {self.site.controller}"
        argv = detached.hold_host(self.program, "packages", self.plan, who, attach)
        lock = Lock(resource=f"packages of {self.host.name}", host=self.host.name, argv=argv)
        planned = PlannedJob(
            name=self.job.name,
            kind=self.job.kind,
            after=self.job.after,
            locks=(lock,) if any(step.effect > Effect.READ for step in steps) else (),
            headline=headline,
            about=self.host.packages,
        )
        return Draft(planned=planned, steps=tuple(steps), findings=tuple(findings))


def begun(site: Site, job: Job, facts: Facts, now: datetime, table: Mapping[str, str]) -> PackageWork | Draft:
    """What the steps of a job need; a draft that does nothing where there can be none.

    Nothing is begun where it cannot be read what earlier runs began at the host: it may still be at work.
    """
    if not site.live:
        return Draft(skip=Skip(job=job.name, reason="the sandbox has no packages"))
    host = site.host(job.host)
    own = family(host, table)
    if own is None:
        text = f"jobs.toml does not say what upgrades the packages of {host.name}"
        do = f"write packages = {words(table)} below [hosts.{host.name}]"
        return findings.skipped(job, [findings.refused(job, text, do)])
    reading = facts.reading(host.name, DETACHED)
    if reading and detached.parse_detached(reading.out) is None:
        why = one_line(reading.err.strip()) or "its answer makes no sense"
        text = f"what earlier runs began on {host.name} cannot be read: {why}"
        do = "see at the host what `runner-agent detached` says; nothing is installed before that is known"
        return findings.skipped(job, [findings.attention(job, text, do)])
    return PackageWork(site=site, job=job, host=host, family=own, now=now, within=job.options.within)


def probes(site: Site, job: Job, table: Mapping[str, str] = FAMILIES) -> tuple[Probe, ...]:
    """The host's packages, and which commands were begun there by plans, and how they ended."""
    host = site.host(job.host)
    own = family(host, table)
    begun = Probe(id=DETACHED, host=host.name, argv=detached.DETACHED, needs=("packages",))
    return (*own.probes(host), begun) if own else ()


def read(work: PackageWork, facts: Facts) -> PackageFacts:
    """The host's packages, and what runs there that is older than its files."""
    return outdated.completed(work.family.read(work.host, facts), work.host, facts, work.patterns)


def left(job: Job, facts: Facts) -> tuple[detached.Detached, ...]:
    """What this job began in an earlier run and nobody has seen the end of, oldest first (see `begun`)."""
    reading = facts.reading(job.host, DETACHED)
    commands = detached.parse_detached(reading.out) if reading else ()
    own = [each for each in commands or () if each.job == job.name and (each.alive or not each.seen)]
    return tuple(reversed(own))


def left_by_others(site: Site, job: Job, facts: Facts) -> tuple[detached.Detached, ...]:
    """The same of the other jobs that change this host's packages."""
    every = (*site.jobs, *site.elsewhere)
    others = [other for other in every if other.host == job.host and other.kind in KINDS and other.name != job.name]
    return tuple(command for other in others for command in left(other, facts))


def attach(work: PackageWork, commands: Sequence[detached.Detached]) -> tuple[Step, ...]:
    """Wait for the end of what is still at work, and ask how the rest ended: what earlier runs began."""
    steps: list[Step] = []
    for number, command in enumerate(commands, start=1):
        name = f"attach-{number}"
        argv = detached.again(work.program, command.plan, command.step)
        why = f"an earlier run lost sight of {command.step} (plan {command.plan}): see how that ended"
        step = work.step(name, argv, why, Effect.READ, Role.ATTACH)
        codes = (0,) if command.alive else _ANY_END
        steps.append(replace(step, ok_codes=codes, detached=command.alive, timeout=work.patience))
        steps.append(work.seen(name, command.plan, command.step))
    return tuple(steps)


def install(
    work: PackageWork, name: str, updates: Sequence[Update], *, effect: Effect = Effect.WRITE
) -> tuple[Step, ...]:
    """Install these, literally."""
    argv = work.family.install(work.host, updates)
    guard = agent.installable(work.program, work.host.name, work.family, updates)
    return work.detach(Role.INSTALL, name, argv, f"install {counted(updates)}", effect, guard)


def guarded(work: PackageWork, steps: Sequence[Step], updates: Sequence[Update]) -> tuple[Step, ...]:
    """The steps, of which the first that changes anything does so only if these are in their old versions.

    Otherwise nothing is done after it either: there is nothing to be undone yet. That an earlier run's
    end was seen is noted in any case, and has a guard of its own.
    """
    first = next((step for step in steps if step.effect > Effect.READ and step.guard is None), None)
    if first is None or not updates:
        return tuple(steps)
    guard = agent.unchanged(work.program, work.host.name, work.family, updates)
    return tuple(
        replace(step, guard=guard)
        if step is first
        else replace(step, despite=tuple(name for name in step.despite if name != first.id))
        for step in steps
    )


def counted(updates: Sequence[Update]) -> str:
    """How many, and how many of them for security."""
    security = sum(update.security for update in updates)
    return count(len(updates), "update") + (f", {security:,} for security" if security else "")


def repair(work: PackageWork, known: PackageFacts, name: str = "repair") -> tuple[Step, ...]:
    """Finish what was interrupted, if anything was and that is safe."""
    argv = work.family.repair()
    if not argv or not any(trouble.mends for trouble in known.troubles):
        return ()
    return work.detach(Role.REPAIR, name, argv, "an installation was interrupted: configure what was unpacked")


def hold(
    work: PackageWork, names: Sequence[str], *, name: str = "hold", despite: Sequence[Step] = ()
) -> tuple[Step, ...]:
    """Hold these; nothing where there are none, or the family writes no holds."""
    argv = work.family.hold(names)
    why = f"hold {count(len(names), 'package')} that only a person upgrades"
    step = replace(work.step(name, argv, why, role=Role.HOLD), despite=tuple(each.id for each in despite))
    return (step,) if argv else ()


def verify(work: PackageWork, names: Sequence[str], *, despite: Sequence[Step]) -> tuple[Step, ...]:
    """See that these are held."""
    argv = work.family.verify(names)
    why = f"see the holds of {count(len(names), 'package')} in every program that keeps holds"
    step = work.step("held", argv, why, Effect.READ, Role.HELD)
    return (replace(step, despite=tuple(each.id for each in despite)),) if argv else ()


def look(work: PackageWork, updates: Sequence[Update]) -> tuple[Step, ...]:
    """See that all is well with the packages, and what still runs what was replaced."""
    argv = work.family.look(updates)
    whole = "see that every package is whole" + (", in its new version" if updates else "")
    checks = (work.step("whole", argv, whole, Effect.READ, Role.WHOLE),) if argv else ()
    why = "see whether anything still runs replaced files, and whether a reboot is needed"
    return (*checks, work.step("look", detached.outdated(work.program), why, Effect.READ, Role.LOOK))
