"""The steps that the kinds `updates` and `upgrade` share, and how they take up what was cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runner.jobs.packages import agent, findings
from runner.jobs.packages.families import FAMILIES, family
from runner.jobs.packages.families import words as known
from runner.jobs.packages.family import Family
from runner.jobs.power import reboot_need
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.packages import PackageFacts, Update
from runner.model.plan import Argv, Check, Command, Effect, Finding, Lock, Skip, Step
from runner.model.role import Role
from runner.model.site import Host, Job, Site
from runner.model.text import count, one_line
from runner.tools import agent as store
from runner.tools import detached

CARRIED = "packages.carried"
KINDS = ("updates", "upgrade")
_MARGIN = 120
# How a run of before ended is told, and must not end the job of today; 255 is ssh's own.
_ANY_END = tuple(range(255))


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What all steps of a job have in common; `within` is how long a carried one is waited for."""

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

    def step(
        self,
        name: str,
        argv: Argv,
        why: str,
        *,
        effect: Effect = Effect.WRITE,
        unless: Check | None = None,
        despite: Sequence[Step] = (),
    ) -> Step:
        """A step of this job on its host."""
        return Step(
            id=self.id(name),
            job=self.job.name,
            host=self.host.name,
            action=Command(argv=argv),
            effect=effect,
            why=why,
            unless=unless,
            despite=tuple(one.id for one in despite),
            needs=("packages",),
        )

    def carried(
        self, name: str, argv: Argv, why: str, *, effect: Effect = Effect.WRITE, guard: Check | None = None
    ) -> Step:
        """A step that goes on at the host when the connection is lost. It is never killed for taking long."""
        order = detached.run(self.program, plan_id(self.now), self.id(name), argv, packages=self.family.lists)
        return Step(
            id=self.id(name),
            job=self.job.name,
            host=self.host.name,
            action=Command(argv=order),
            effect=effect,
            why=why,
            guard=guard,
            timeout=self.patience,
            needs=("packages",),
            detached=True,
        )

    @property
    def patience(self) -> int:
        """For how many seconds a carried step is waited for."""
        return int(self.within.total_seconds()) + _MARGIN

    def id(self, name: str) -> str:
        """The id of this job's step of that name."""
        return f"{self.job.name}/{name}"


def work(site: Site, job: Job, now: datetime, table: Mapping[str, str] = FAMILIES) -> Work | Draft:
    """What the steps of a job need; a draft that does nothing where there can be none."""
    if not site.live:
        return Draft(skip=Skip(job=job.name, reason="the sandbox has no packages"))
    host = site.host(job.host)
    found = family(host, table)
    if found is None:
        text = f"jobs.toml does not say what upgrades the packages of {host.name}"
        do = f"write packages = {known(table)} below [hosts.{host.name}]"
        finding = findings.refused(job, text, do)
        return Draft(skip=Skip(job=job.name, reason=text), findings=(finding,))
    return Work(site=site, job=job, host=host, family=found, now=now, within=job.options.within)


def probes(site: Site, job: Job, table: Mapping[str, str] = FAMILIES) -> tuple[Probe, ...]:
    """The host's packages, and which commands were begun there by plans, and how they ended."""
    host = site.host(job.host)
    found = family(host, table)
    begun = Probe(id=CARRIED, host=host.name, argv=detached.DETACHED, needs=("packages",))
    return (*found.probes(host), begun) if found else ()


def read(work: Work, facts: Facts) -> PackageFacts:
    """The host's packages, with reasons for a reboot by the patterns that the job names, if it does."""
    return work.family.read(work.host, facts, patterns(work.job))


def patterns(job: Job) -> tuple[str, ...]:
    """Packages of which an upgrade needs a reboot: those that the job names, or the runner's own list."""
    return tuple(job.options.reboot_for) or reboot_need.PATTERNS


def unread(work: Work, facts: Facts) -> Draft | None:
    """The skip where it cannot be read what earlier runs began at the host: it may be at work still."""
    reading = facts.reading(work.host.name, CARRIED)
    if reading is None or detached.parse_detached(reading.out) is not None:
        return None
    why = one_line(reading.err.strip()) or "its answer makes no sense"
    text = f"what earlier runs began on {work.host.name} cannot be read: {why}"
    do = "see at the host what `runner-agent detached` says; nothing is installed before that is known"
    finding = Finding(severity="attention", source=work.job.name, text=text, do=do)
    return Draft(skip=Skip(job=work.job.name, reason=text), findings=(finding,))


def left(job: Job, facts: Facts) -> tuple[detached.Detached, ...]:
    """What this job began in an earlier run and nobody was told the end of, oldest first (see `unread`)."""
    reading = facts.reading(job.host, CARRIED)
    found = detached.parse_detached(reading.out) if reading else ()
    own = [one for one in found or () if one.job == job.name and (one.alive or not one.seen)]
    return tuple(reversed(own))


def left_by_others(site: Site, job: Job, facts: Facts) -> tuple[detached.Detached, ...]:
    """The same of the other jobs that change this host's packages."""
    every = (*site.jobs, *site.elsewhere)
    others = [one for one in every if one.host == job.host and one.kind in KINDS and one.name != job.name]
    return tuple(found for one in others for found in left(one, facts))


def attach(work: Work, begun: Sequence[detached.Detached]) -> tuple[Step, ...]:
    """Wait for the end of what still works, and ask how the rest ended: what earlier runs began."""
    steps: list[Step] = []
    for number, one in enumerate(begun, start=1):
        name = f"attach-{number}"
        argv = detached.again(work.program, one.plan, one.step)
        steps.append(
            Step(
                id=work.id(name),
                role=Role.ATTACH,
                job=work.job.name,
                host=work.host.name,
                action=Command(argv=argv),
                effect=Effect.READ,
                ok_codes=(0,) if one.alive else _ANY_END,
                needs=("packages",),
                why=f"an earlier run lost sight of what it began ({one.step}, plan {one.plan}): how did it end",
                detached=one.alive,
                timeout=work.patience,
            )
        )
        steps.append(_told(work, name, one.plan, one.step))
    return tuple(steps)


def carried(
    work: Work, name: str, argv: Argv, why: str, *, effect: Effect = Effect.WRITE, guard: Check | None = None
) -> tuple[Step, ...]:
    """A carried step, and the one that notes that its end was seen."""
    step = work.carried(name, argv, why, effect=effect, guard=guard)
    return (step, _told(work, name, plan_id(work.now), step.id))


def known_as(role: Role, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps, of which the first has this role."""
    return tuple(replace(one, role=role) if at == 0 else one for at, one in enumerate(steps))


def install(work: Work, name: str, updates: Sequence[Update], *, effect: Effect = Effect.WRITE) -> tuple[Step, ...]:
    """Install these, literally."""
    argv = work.family.install(work.host, updates)
    guard = agent.installable(work.program, work.host.name, work.family, updates)
    steps = carried(work, name, argv, f"install {words(updates)}", effect=effect, guard=guard)
    return known_as(Role.INSTALL, steps)


def guarded(work: Work, steps: Sequence[Step], updates: Sequence[Update]) -> tuple[Step, ...]:
    """The steps, of which the first that changes anything does so only if these are in their old versions.

    Otherwise nothing is done after it either: there is nothing to be undone yet. That an earlier run's
    end was seen is noted in any case, and has a guard of its own.
    """
    first = next((one for one in steps if one.effect > Effect.READ and one.guard is None), None)
    if first is None or not updates:
        return tuple(steps)
    guard = agent.unchanged(work.program, work.host.name, work.family, updates)
    return tuple(
        replace(one, guard=guard)
        if one is first
        else replace(one, despite=tuple(name for name in one.despite if name != first.id))
        for one in steps
    )


def words(updates: Sequence[Update]) -> str:
    """How many, and how many of them for security."""
    security = sum(one.security for one in updates)
    return count(len(updates), "update") + (f", {security:,} for security" if security else "")


def repair(work: Work, found: PackageFacts, name: str = "repair") -> tuple[Step, ...]:
    """Finish what was interrupted, if anything was and that is safe."""
    argv = work.family.repair()
    if not argv or not any(one.mends for one in found.troubles):
        return ()
    why = "an installation was interrupted: configure what was unpacked"
    return known_as(Role.REPAIR, carried(work, name, argv, why))


def hold(work: Work, names: Sequence[str], *, name: str = "hold", despite: Sequence[Step] = ()) -> tuple[Step, ...]:
    """Hold these; nothing where there are none, or the family writes no holds."""
    argv = work.family.hold(names)
    why = f"hold {count(len(names), 'package')} that only a person upgrades"
    return (work.step(name, argv, why, despite=despite).known_as(Role.HOLD),) if argv else ()


def verify(work: Work, names: Sequence[str], *, despite: Sequence[Step] = ()) -> tuple[Step, ...]:
    """See that these are held."""
    argv = work.family.verify(names)
    why = f"{count(len(names), 'package')} held, by whatever keeps holds here"
    return (work.step("held", argv, why, effect=Effect.READ, despite=despite).known_as(Role.HELD),) if argv else ()


def look(work: Work, updates: Sequence[Update]) -> tuple[Step, ...]:
    """See that all is well with the packages, and what still runs what was replaced."""
    argv = work.family.look(updates)
    whole = "every package is whole" + (", in its new version" if updates else "")
    checks = (work.step("whole", argv, whole, effect=Effect.READ).known_as(Role.WHOLE),) if argv else ()
    why = "does anything still run what was replaced, and is a reboot needed"
    last = detached.outdated(work.program)
    return (*checks, work.step("look", last, why, effect=Effect.READ).known_as(Role.LOOK))


def locks(work: Work, steps: Sequence[Step], attach: str = "") -> tuple[Lock, ...]:
    """The host's packages, where a step changes anything; with `attach` also while that plan's command works."""
    if all(step.effect == Effect.READ for step in steps):
        return ()
    who = f"{work.job.name} of {work.site.controller}"
    argv = detached.hold_host(work.program, "packages", plan_id(work.now), who, attach)
    return (Lock(resource=f"packages of {work.host.name}", host=work.host.name, argv=argv),)


def _told(work: Work, name: str, plan: str, step: str) -> Step:
    """Note at the host that the end was seen; only if it has ended."""
    over = Check(
        host=work.host.name,
        argv=detached.again(work.program, plan, step, within=1),
        field="detached",
        relation="==",
        value=True,
        why="it has ended",
    )
    return Step(
        id=work.id(f"{name}-told"),
        role=Role.SEEN,
        job=work.job.name,
        host=work.host.name,
        effect=Effect.WRITE,
        action=Command(argv=detached.note_seen(work.program, plan, step)),
        guard=over,
        despite=(work.id(name),),
        why=f"note at the host that the end of {name} was seen",
        needs=("packages",),
    )
