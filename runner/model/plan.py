"""A plan: every step that would run, literally, and why. Data only; nothing here acts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import Literal

from runner.model.role import Phase, Role

Argv = tuple[str, ...]
Need = Literal["device", "packages", "power", "network"]
Severity = Literal["note", "attention", "refusal"]


class Effect(IntEnum):
    """How much a step can change, in rising order; `[site] unattended` is a ceiling on this scale."""

    READ = 1
    WRITE = 2
    EXPIRE = 3
    INTERRUPT = 4
    DESTROY = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """Run this argv on the step's host: no shell, stdin from the step's inputs or closed.

    With `artifact` that file, which ships with the runner, is on its stdin; refused unless it has `sha256`.
    """

    argv: Argv
    artifact: str = ""
    sha256: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PutFile:
    """Place a file that ships with the runner at `path`; refused unless its content has `sha256`."""

    path: str
    artifact: str
    sha256: str
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A READ command on `host`, and the claim that its JSON reading has `value` under `field`.

    As a guard a claim that fails makes the job stale; as an unless a claim that holds makes the
    step not needed. `relation` is one of `==`, `!=`, `>=`, `<=`; the last two compare numbers.
    `replans`: a guard that fails for what others changed meanwhile, so that a new plan may do better.
    """

    host: str
    argv: Argv
    field: str
    relation: Literal["==", "!=", ">=", "<="]
    value: str | int | float | bool
    why: str
    replans: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitFor:
    """Read `until` every `every` seconds until its claim holds; given up after `within` seconds.

    A host that does not answer has not answered yet. With `gone` the wait is for that instead: it is
    over when the host has given no answer three times in a row.
    """

    until: Check
    within: int
    every: int = 5
    gone: bool = False


Action = Command | PutFile | WaitFor


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """The claim that an earlier step of this plan, or one of the `others`, ended with one of these exit codes."""

    step: str
    codes: tuple[int, ...] = (0,)
    others: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """Each of them."""
        return (self.step, *self.others)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """A resource of a job. `argv` runs on `host` for as long as the job does: it prints one JSON
    line, `{"held": true}` or `{"held": false, "holder": {...}}`, and releases it when its stdin ends.

    From the step `until` on it may be lost, as when that step reboots the host that keeps it."""

    resource: str
    host: str
    argv: Argv
    until: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One action of a job, with what it may change, why, and when it must not or need not run.

    `inputs` names earlier steps whose standard output is fed to this one's standard input, each with its name, or
    `kept:<store>/<snapshot>` for the outputs kept from an interrupted snapshot. `feed` names earlier steps too: the
    output of the one that ended 0 is the standard input as it is, and where that is empty this one is not needed.
    `ok_codes` are the
    exit codes that do not end the job. `keep_output_as` (`<store>/<snapshot>/<n>`) keeps the
    step's output on the controller when the job is interrupted. `silent`: any output at all means
    that it failed, as with a comparison. `timeout` is in seconds.

    `despite` names earlier steps whose failure does not keep this one from running: it undoes what
    they began, or looks at something else. It also runs when the run is being stopped, unless it is a
    look that is despite nothing but looks.
    `until` names a later step of the job: this one goes on beside those between, and that one waits for it.
    `detached`: the command goes on at the host when the connection to it is lost, and is taken up again.
    `role` says what the step is for, `subject` what it is about, such as the name of a disk. `replans`:
    only when it is done can it be known what else there is to do, so the job is planned again then.
    """

    id: str
    job: str
    host: str
    action: Action
    effect: Effect
    why: str
    guard: Check | None = None
    unless: Check | Ended | None = None
    inputs: tuple[str, ...] = ()
    feed: tuple[str, ...] = ()
    ok_codes: tuple[int, ...] = (0,)
    keep_output_as: str = ""
    silent: bool = False
    timeout: int = 600
    needs: tuple[Need, ...] = ()
    added_by: str = ""
    despite: tuple[str, ...] = ()
    until: str = ""
    detached: bool = False
    role: Role = Role.STEP
    subject: str = ""
    replans: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        """Whose outputs it reads."""
        return (*self.inputs, *self.feed)

    @property
    def takes_power(self) -> bool:
        """Whether it takes its host down: it reboots it or switches it off."""
        return self.effect == Effect.INTERRUPT and "power" in self.needs

    def known_as(self, role: Role, subject: str = "") -> Step:
        """The same step in this role, about this."""
        return replace(self, role=role, subject=subject)


@dataclass(frozen=True, kw_only=True, slots=True)
class Insertion:
    """A hook's wish: put `step` before or after the step with id `anchor` (of the same job)."""

    step: Step
    where: Literal["before", "after"]
    anchor: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Skip:
    """A job that is not in the plan, and why; `done` is when it was done, where there is nothing left to do for it.

    `cause` names why, where it may keep other jobs too (see model/cause.py). `needless`: there is nothing to do for it.
    """

    job: str
    reason: str
    done: datetime | None = None
    cause: str = ""
    needless: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something a reviewer should know; a refusal stops the plan.

    `do` says what to do next; `command`, where there is one, is to be copied as it is, and `do` leads to it.
    What has the same `cause` (see model/cause.py) is one thing to do.
    """

    severity: Severity
    text: str
    source: str
    do: str = ""
    command: str = ""
    phase: Phase = Phase.PLAN
    cause: str = ""

    @property
    def advice(self) -> str:
        """What to do next, with the command."""
        return f"{self.do} {self.command}".strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What a job is expected to write and take, from the last runs of it; None where unknown.

    `exact`: bytes and files (inodes then) were counted by a dry run, not taken from history.
    """

    bytes: int | None = None
    files: int | None = None
    seconds: float | None = None
    runs: int = 0
    exact: bool = False


# The kind of the jobs that the planner puts before the others: what a host needs first.
PREPARE = "prepare"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedJob:
    """One job of the plan: what it comes after, the locks it takes, what it should cost.

    `writes` names the snapshot that it makes (`store/name`) or is empty; `resumes` counts the
    interrupted ones it takes up. `headline` and `details` are what the kind knew, for the report of a job that
    only looks; `about` is what it needs to know again then, such as whose packages the host has or how many files its
    snapshots had; `partly`: not all that it asked has answered. `doubt`: what it knows to be wrong contradicts that
    there is nothing to do. `since` is what the job made last, and
    that is out of date from then on (UTC), where it fails now; None where there is none.
    `instant` is the scheduled time (UTC) that it is run for, once; None for a run by hand.
    """

    name: str
    kind: str
    after: tuple[str, ...] = ()
    locks: tuple[Lock, ...] = ()
    writes: str = ""
    resumes: int = 0
    headline: str = ""
    details: tuple[str, ...] = ()
    about: str = ""
    partly: bool = False
    doubt: bool = False
    since: datetime | None = None
    instant: datetime | None = None
    forecast: Forecast = Forecast()


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """What the plan was made from: a subject and a short digest of its state at that time.

    `subject` is `jobs.toml`, `host papio` or `store papio`; `description` is that state in words.
    """

    subject: str
    digest: str
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Everything that would run, in order, with what was left out and what a reviewer must know."""

    id: str
    made_at: datetime
    site: str
    live: bool
    jobs: tuple[PlannedJob, ...] = ()
    steps: tuple[Step, ...] = ()
    skips: tuple[Skip, ...] = ()
    findings: tuple[Finding, ...] = ()
    basis: tuple[Basis, ...] = ()

    @property
    def effect(self) -> Effect:
        """The strongest effect of any step; READ for an empty plan."""
        return max((step.effect for step in self.steps), default=Effect.READ)

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """The findings that forbid this plan to run."""
        return tuple(finding for finding in self.findings if finding.severity == "refusal")
