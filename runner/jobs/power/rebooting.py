"""A reboot as part of any job: what stands against it, what it takes, its steps, what a person should know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runner.agent.power.contract import LookAfterBoot
from runner.jobs.power import after, agent, before, boot_checks, window
from runner.jobs.power import downtime as patience
from runner.jobs.power import locks as power_locks
from runner.jobs.power.after import Wanted
from runner.jobs.power.before import Before
from runner.jobs.power.downtime import Patience, downtime
from runner.jobs.power.window import When, Wrong
from runner.model.facts import Facts
from runner.model.names import plan_id
from runner.model.options import RebootOptions
from runner.model.plan import Command, Effect, Lock, Step, WaitFor
from runner.model.role import Role
from runner.model.site import Job, Site
from runner.model.text import length
from runner.tools import agent as store

# ssh(1) ends with 255 when the host takes the session down with it.
_SESSION_DIED = 255
_GOES_DOWN = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A reboot of the host of `job`, with the options of a reboot job and the host as `found`.

    `prefix` is "" or ends in "/", and stands before the names of the steps. `kernel` is the release that
    must run afterwards, "" for the newest that there is now, or then where the plan has `upgraded`
    packages before.
    """

    site: Site
    job: Job
    options: RebootOptions
    facts: Facts
    found: Before
    prefix: str = ""
    kernel: str = ""
    upgraded: bool = False

    @property
    def id(self) -> str:
        """The step that reboots: locks are kept until it begins."""
        return f"{self.job.name}/{self.prefix}reboot"

    @property
    def when(self) -> When:
        """When it is allowed."""
        return When(windows=self.options.window, announce=self.options.announce)


def options_of(site: Site, host: str) -> RebootOptions:
    """The options of the first reboot job of `host`, or those of one that says nothing."""
    found = (job.options for job in site.jobs if job.host == host and isinstance(job.options, RebootOptions))
    return next(found, RebootOptions())


def against(asked: Asked, now: datetime) -> tuple[Wrong, ...]:
    """Everything that forbids it now; empty where it may be."""
    site, job = asked.site, asked.job
    stores = power_locks.concerned(site, job.host, asked.facts)
    return (
        *window.against(site, job, asked.when, asked.facts, now),
        *power_locks.against(stores),
        *before.against(site.host(job.host), asked.found),
    )


def doubts(asked: Asked) -> tuple[Wrong, ...]:
    """What a person should look at first, although it forbids nothing."""
    site, job = asked.site, asked.job
    stores = power_locks.concerned(site, job.host, asked.facts)
    _, most, known = _downtime(asked)
    return (
        *window.overruns(site, job, asked.when, asked.facts, timedelta(seconds=most) if known else None),
        *_too_long_before(asked),
        *_unforeseen(job.host, boot_checks.unread(asked.facts, job.host)),
        *before.doubts(site, site.host(job.host), asked.found, asked.facts),
        *power_locks.unknown(stores),
    )


def notes(asked: Asked) -> tuple[str, ...]:
    """Who is interrupted, and for how long."""
    job = asked.job
    least, most, known = _downtime(asked)
    span = length(least) if least == most else f"{length(least)} to {length(most)}"
    unknown = "" if known else ", and a disk check of which nobody knows how long it takes: plan hours"
    said = f"{job.host} should be away for {span}{unknown}; it is waited for {length(_wait(asked).back)}"
    return (*before.notes(asked.site.host(job.host), asked.found, asked.facts), said)


def _too_long_before(asked: Asked) -> tuple[Wrong, ...]:
    """Whether the checks that are made before may last until it is too late for the reboot itself."""
    early = [one.forecast.most for _, one in boot_checks.brought_forward(asked.site, asked.facts, asked.job)]
    by = window.closes(asked.site, asked.job, asked.when, asked.facts)
    known = sum(one for one in early if one is not None)
    if not early or by is None or (None not in early and asked.facts.at + timedelta(seconds=known) < by):
        return ()
    lasts = length(known) if None not in early else "nobody knows how long"
    text = f"the disk check before the reboot may last {lasts}, and then it is too late for the reboot itself"
    do = 'have the boot make it, or put it off: when_due = "tell" or "defer" in [hooks.fsck]'
    return (Wrong(text=text, do=do),)


def _unforeseen(host: str, why: str) -> tuple[Wrong, ...]:
    do = "do not take it for dead before that, and do not switch it off"
    text = f"whether the boot of {host} checks a disk, which may take hours, could not be read: {why}"
    return (Wrong(text=text, do=do),) if why else ()


def _downtime(asked: Asked) -> tuple[float, float, bool]:
    """The least and the most seconds that it should be away, and whether the checks at the boot are in that."""
    took = asked.facts.took.get((asked.job.name, Role.BACK, asked.prefix.rstrip("/")), ())
    checks = boot_checks.awaited(asked.site, asked.facts, asked.job, asked.facts.at)
    return (*downtime(took, sum(one for one in checks if one is not None)), None not in checks)


def locks(asked: Asked, until: str = "") -> tuple[Lock, ...]:
    """The host's power and packages, and every store that it has to do with, until the step `until`.

    A store on a disk that is checked before is let go in a step of the fsck hook.
    """
    site, job = asked.site, asked.job
    plan, who = plan_id(asked.facts.at), f"{job.name} of {site.controller}"
    early = {disk.name for disk, _ in boot_checks.brought_forward(site, asked.facts, job)}
    own = power_locks.hosts_locks(site, job.host, plan=plan, who=who, until=until or asked.id)
    return (
        *own,
        *(
            power_locks.store_lock(
                site,
                one,
                plan=plan,
                who=who,
                until=boot_checks.let_go_step(job.name, one.store.name)
                if one.store.disk in early
                else until or asked.id,
            )
            for one in power_locks.concerned(site, job.host, asked.facts)
            if power_locks.there(one)
        ),
    )


def steps(asked: Asked, why: str) -> tuple[Step, ...]:
    """Its steps, from `idle` to the last look; see reboot_steps."""
    site, job, found = asked.site, asked.job, asked.found
    here = asked.facts.hosts[job.host]
    early = {disk.name for disk, _ in boot_checks.brought_forward(site, asked.facts, job)}
    stores = power_locks.concerned(site, job.host, asked.facts)
    wanted = Wanted(
        kernel=asked.kernel or ("" if asked.upgraded else found.outdated.newest or None),
        mounted=after.mounted(site, here, found.entries),
        failed=found.up.failed,
        must_run=asked.options.must_run,
        database=asked.options.database,
        page=asked.options.page,
    )
    return reboot_steps(
        Reboot(
            site=site,
            host=job.host,
            job=job.name,
            boot_id=found.up.boot_id,
            why=why,
            wait=_wait(asked),
            wanted=wanted,
            prefix=asked.prefix,
            systemd=found.systemd,
            by=window.closes(site, job, asked.when, asked.facts),
            unheld=tuple(one.found.path for one in stores if one.found and one.store.disk in early),
        )
    )


def _wait(asked: Asked) -> patience.Patience:
    outlook = boot_checks.outlooks(asked.site, asked.facts, asked.job.host, asked.facts.at)
    took = asked.facts.took.get((asked.job.name, Role.BACK, asked.prefix.rstrip("/")), ())
    return patience.patience(asked.options.patience, took, boot_checks.most(outlook))


@dataclass(frozen=True, kw_only=True, slots=True)
class Reboot:
    """A reboot of `host`, now in boot `boot_id`, as part of `job`.

    `prefix` stands before the names of the steps, and is "" or ends in "/". `systemd` is its version, None
    where another program runs the host. It must not happen later than `by`. `wait` says how long it may
    take, `wanted` what must be there again. `unheld` are folders of stores on the host whose locks end
    before the reboot, and that nobody may have taken then.
    """

    site: Site
    host: str
    job: str
    boot_id: str
    why: str
    wait: Patience
    wanted: Wanted
    prefix: str = ""
    systemd: int | None = None
    by: datetime | None = None
    unheld: tuple[str, ...] = ()

    @property
    def boot(self) -> agent.Boot:
        """The boot before this reboot."""
        return agent.Boot(program=store.program(self.site.host(self.host)), id=self.boot_id)

    @property
    def which(self) -> str:
        """What its steps are about: "" where the job is for this reboot, or ends with it."""
        return self.prefix.rstrip("/")

    def step(self, name: str, action: Command | WaitFor, effect: Effect, why: str) -> Step:
        """A step of this reboot."""
        wait = action.within if isinstance(action, WaitFor) else _GOES_DOWN
        return Step(
            id=f"{self.job}/{self.prefix}{name}",
            job=self.job,
            host=self.host,
            action=action,
            effect=effect,
            why=why,
            timeout=wait + _GOES_DOWN,
            needs=("power",),
        )


def reboot_steps(one: Reboot) -> tuple[Step, ...]:
    """All of them. The step that reboots is called `reboot`, the one that waits for the host `back`.

    `reboot` is never run twice: in another boot than the planned one its guard fails. The looks after
    `settled` are taken each despite the others.
    """
    boot = one.boot
    quiet = "nothing is being written, and nobody asks that it stays up"
    idle = one.step("idle", Command(argv=agent.idle(boot, one.by)), Effect.READ, quiet).known_as(Role.IDLE, one.which)
    unwritten = agent.is_idle(one.host, agent.idle(boot, one.by, one.unheld))
    down = Step(
        id=f"{one.job}/{one.prefix}reboot",
        role=Role.DOWN,
        subject=one.which,
        job=one.job,
        host=one.host,
        effect=Effect.INTERRUPT,
        why=one.why,
        action=Command(argv=agent.reboot(one.systemd)),
        guard=unwritten,
        ok_codes=(0, _SESSION_DIED),
        timeout=_GOES_DOWN,
        needs=("power",),
    )
    back = one.step(
        "back",
        WaitFor(until=agent.is_back(one.host, boot), within=one.wait.back),
        Effect.READ,
        f"it answers, in another boot; waited for {one.wait.why}",
    ).known_as(Role.BACK, one.which)
    settled = one.step(
        "settled", _settles(one, boot), Effect.READ, "its boot is over, and no disk is being checked"
    ).known_as(Role.SETTLED, one.which)
    # What comes after a reboot that is only the first thing is planned when the host is back.
    back = replace(back, replans=bool(one.prefix))
    looks = after.steps(one.site, f"{one.job}/{one.prefix}", settled, one.wanted)
    return (idle, down, back, settled, *looks)


def _settles(one: Reboot, boot: agent.Boot) -> WaitFor:
    argv = agent.returned(boot.program, LookAfterBoot("settled"))
    until = agent.has_returned(one.host, argv, "its boot is over, and no disk is being checked")
    return WaitFor(until=until, within=one.wait.settle)
