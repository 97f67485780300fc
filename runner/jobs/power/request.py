"""A request to take a host down, by a reboot or a halt: its locks, its steps, and its findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from runner.jobs.power import agent, boot_checks, downtime, locks, window
from runner.jobs.power.before import Before
from runner.jobs.power.locks import Concerned
from runner.jobs.power.window import Objection
from runner.jobs.retention.steps import place
from runner.model.facts import Facts, StoreFacts
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.options import HaltOptions, RebootOptions
from runner.model.plan import Argv, Command, Effect, Finding, Lock, Severity, Skip, Step, WaitFor
from runner.model.role import Role
from runner.model.site import Job, Site
from runner.tools import agent as store
from runner.tools import detached

# As in the plans of those who take them alone.
_OWN: Mapping[Literal["packages", "power", "dump", "drill", "restore-db"], str] = {
    "packages": "packages of",
    "power": "power of",
    "dump": "dumps of",
    "drill": "drill on",
    "restore-db": "restores of databases on",
}
# ssh(1) ends with 255 when the host takes the session down with it.
SESSION_DIED = 255
# Whoever was told to end, and a host that goes down, has this long.
ENDS = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """To take the host of `job` down, with the `options` of its kind, and the host as it was `before`."""

    site: Site
    job: Job
    options: RebootOptions | HaltOptions
    facts: Facts
    before: Before

    @property
    def plan(self) -> str:
        """The plan that does it, under whose id its locks are held."""
        return plan_id(self.facts.at)

    @property
    def program(self) -> str:
        """Where runner-agent is on the host."""
        return store.program(self.site.host(self.job.host))

    @property
    def boot(self) -> agent.Boot:
        """The boot that ends."""
        return agent.Boot(program=self.program, id=self.before.up.boot_id)

    @property
    def by(self) -> datetime | None:
        """Until when it must have happened; None for no end."""
        return window.closes(self.site, self.job, self.options, self.facts)

    @property
    def stores(self) -> tuple[Concerned, ...]:
        """The stores that it concerns."""
        return locks.stores_of(self.site, self.job.host, self.facts)

    @property
    def who(self) -> str:
        """Who holds its locks, in words."""
        return f"{self.job.name} of {self.site.controller}"

    def own_locks(self, until: str) -> tuple[Lock, ...]:
        """The host's own locks, until the step `until`: nothing is installed, dumped or restored meanwhile."""
        host = self.job.host
        return tuple(
            Lock(
                resource=f"{words} {host}",
                host=host,
                argv=detached.hold_host(self.program, resource, self.plan, self.who),
                until=until,
            )
            for resource, words in _OWN.items()
        )

    def store_lock(self, concerned: Concerned, until: str, instead: str = "") -> Lock:
        """The lock of a store that can be used, until the step `until`; with `instead` taken from that plan."""
        facts = concerned.facts or StoreFacts(path=concerned.path, exists=False)
        where = place(self.site, self.job.name, concerned.store, facts, self.plan)
        argv = agent.take_over(where.at, holder=instead, who=self.who) if instead else where.lock.argv
        return replace(where.lock, argv=argv, until=until)

    def step(self, name: str, action: Command | WaitFor, why: str, effect: Effect = Effect.READ) -> Step:
        """A step of this job on the host."""
        return Step(
            id=f"{self.job.name}/{name}",
            job=self.job.name,
            host=self.job.host,
            action=action,
            effect=effect,
            why=why,
            timeout=2 * ENDS if isinstance(action, Command) else action.within + ENDS,
            needs=("power",),
        )

    def down(self, name: str, argv: Argv, why: str, idle: Argv) -> Step:
        """The step that takes the host down, if what `idle` asks holds."""
        step = self.step(name, Command(argv=argv), why, Effect.INTERRUPT)
        guard = agent.is_idle(self.job.host, idle)
        return replace(step, guard=guard, ok_codes=(0, SESSION_DIED), timeout=ENDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class RebootRequest(Request):
    """To reboot the host of a job, with the options of a reboot job.

    `prefix` is "" or ends in "/", and stands before the names of the steps. `kernel` is the release that
    must run afterwards, "" for the newest that there is now, or then where the plan has `upgraded`
    packages before.
    """

    options: RebootOptions
    prefix: str = ""
    kernel: str = ""
    upgraded: bool = False

    @property
    def id(self) -> str:
        """The step that reboots: locks are kept until it begins."""
        return f"{self.job.name}/{self.prefix}reboot"

    @property
    def which(self) -> str:
        """What its steps are about: "" where the job is for this reboot, or ends with it."""
        return self.prefix.rstrip("/")

    @property
    def took(self) -> tuple[float, ...]:
        """How many seconds this reboot took before, newest first."""
        return self.facts.took.get((self.job.name, Role.BACK, self.which), ())

    @property
    def early(self) -> dict[str, float | None]:
        """How many seconds the check of each disk takes at most that the fsck hook makes before."""
        due = boot_checks.brought_forward(self.site, self.facts, self.job)
        return {disk.name: outlook.forecast.most for disk, outlook in due}

    @property
    def patience(self) -> downtime.Patience:
        """How long the host is waited for."""
        outlook = boot_checks.outlooks(self.site, self.facts, self.job.host, self.facts.at)
        return downtime.patience(self.options.patience, self.took, boot_checks.most(outlook))


def refused(job: Job, objections: Iterable[Objection], known: Iterable[Finding] = ()) -> Draft:
    """A draft that does nothing, for all these reasons. A refusal stops the whole plan, so a job with a schedule,
    which would take others with it, is skipped for attention instead."""
    severity: Severity = "attention" if job.schedule else "refusal"
    findings = [Finding(severity=severity, text=each.text, source=job.name, do=each.do) for each in objections]
    return Draft(skip=Skip(job=job.name, reason=findings[0].text), findings=(*findings, *known))


def findings(job: Job, doubts: Iterable[Objection], notes: Iterable[str]) -> tuple[Finding, ...]:
    """What a person should look at, and what they should know."""
    return (
        *(Finding(severity="attention", text=doubt.text, source=job.name, do=doubt.do) for doubt in doubts),
        *(Finding(severity="note", text=text, source=job.name) for text in notes),
    )
