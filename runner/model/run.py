"""What happened: the outcome of each step, the run, the report that people get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from runner.model import cause
from runner.model.plan import Finding, Plan, PlannedJob, Skip
from runner.model.role import Role


class State(StrEnum):
    """How a step ended. Everything after `failed`, `stale`, `interrupted` or `already done` is `not reached`."""

    DONE = "done"
    NOT_NEEDED = "not needed"
    NOT_HERE = "not in the sandbox"
    FAILED = "failed"
    STALE = "stale"
    INTERRUPTED = "interrupted"
    BUSY = "busy"
    ALREADY = "already done"
    NOT_REACHED = "not reached"


# How a step ends that ends its job.
STOPPED = frozenset((State.FAILED, State.STALE, State.INTERRUPTED, State.BUSY, State.ALREADY))


class Verdict(StrEnum):
    """The guide's three messages and the fourth that is missing there."""

    NOTHING = "nothing done"
    DONE = "done"
    ATTENTION = "attention needed"
    FAILED = "failed"


class Stop(StrEnum):
    """What kept a job from being done, where that has an exit code of its own. STALE: something has changed."""

    NONE = ""
    STALE = "stale"
    BUSY = "busy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How one step ended. `result` is its JSON answer where it gives one, `log` its last lines.

    `exit` is None where nothing was started; a signal is negative, as in subprocess. `role` and
    `subject` are those of the step. `cause` names what it failed of, where that may keep other jobs too.
    """

    step: str
    job: str
    state: State
    exit: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    note: str = ""
    role: Role = Role.STEP
    subject: str = ""
    cause: str = ""

    @property
    def label(self) -> str:
        """The step's name without its job's, for people."""
        return self.step.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """One plan and the outcomes of its steps; a run has up to three."""

    plan: Plan
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Everything that one call of `runner run` or `runner apply` did."""

    id: str
    started: datetime
    ended: datetime
    passes: tuple[Pass, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class JobReport:
    """The end of one job, in words: `headline` is one sentence, `details` the numbers.

    `stop` is what kept it from being done: it decides between the exit codes of one verdict. `advice` is told below
    the details: where to look, with commands that are shown as they are typed, and no name that a host has chosen.
    `written` are the bytes and files that it wrote, for the journal, `made` the snapshot (`store/name`) that there is
    now. `passes_on` is said by jobs that came after it as well. `quiet`: not worth a word to people.
    `instant` is the scheduled time (UTC) that it was run for, None by hand. `cause` names what it failed of, where
    that may keep other jobs too (see model/cause.py).
    """

    job: str
    verdict: Verdict
    headline: str
    details: tuple[str, ...] = ()
    stop: Stop = Stop.NONE
    written: tuple[int, int] | None = None
    made: str = ""
    advice: tuple[str, ...] = ()
    passes_on: tuple[str, ...] = ()
    quiet: bool = False
    instant: datetime | None = None
    cause: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Around:
    """What a kind may know beside the outcomes of a job's steps, to report on it.

    `looked`: no step of the job changes anything. `earlier` are its outcomes in earlier passes of the
    run, `reports` those of the jobs that were planned before it.
    """

    live: bool = True
    looked: bool = False
    earlier: tuple[Outcome, ...] = ()
    reports: Mapping[str, JobReport] = field(default_factory=dict)


class Reporter(Protocol):
    """A kind, as far as it reports on its own jobs."""

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """How `job` ended, from the outcomes of its steps. Pure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobLine:
    """How one job of one run ended; `written` is (bytes, files) or None where it wrote nothing.

    `instant` is the scheduled time that it was for, where that is asked; None by hand.
    """

    job: str
    started: datetime
    ended: datetime
    verdict: Verdict
    headline: str
    written: tuple[int, int] | None = None
    instant: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """What one finished run of a job wrote (bytes, files) and took (seconds)."""

    bytes: int
    files: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Todo:
    """Something that a person must do. `command`, where there is one, is to be copied as it is; `text` leads to it.

    `headline` is what is wrong, without `do`, which is what to do about it. `things` is how many it stands for. `busy`:
    it is nothing but that somebody else is at it.
    """

    text: str
    do: str = ""
    command: str = ""
    headline: str = ""
    things: int = 1
    busy: bool = False

    @property
    def lead(self) -> str:
        """What comes before `do`; all of the text where there is none."""
        return self.headline if self.do else self.text

    def __str__(self) -> str:
        return f"{self.text} {self.command}".rstrip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What people read about a run: the verdict, what to do (first), what happened, the log.

    `actions` is empty unless a person must act. `sandbox` is the sandbox folder, "" when live.
    `recipients` maps admin, experts and users to mail addresses. `late`: it is of an earlier run, after which it
    could not be delivered.
    """

    site: str
    run: str
    controller: str
    verdict: Verdict
    started: datetime
    ended: datetime
    timezone: str = "UTC"
    sandbox: str = ""
    actions: tuple[Todo, ...] = ()
    jobs: tuple[JobReport, ...] = ()
    skips: tuple[Skip, ...] = ()
    findings: tuple[Finding, ...] = ()
    log: tuple[str, ...] = ()
    recipients: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    late: bool = False

    @property
    def was_stopped(self) -> bool:
        """Whether it failed of nothing but that somebody stopped it."""
        failed = [job for job in self.jobs if job.verdict is Verdict.FAILED]
        return bool(failed) and all(job.cause == cause.STOPPED for job in failed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Undelivered:
    """That a hook could not deliver a report, and why; `passing`: that may be over in a minute, by itself.

    `for_good`: nor could the report be kept for the next run.
    """

    hook: str
    why: str
    passing: bool = False
    for_good: bool = False
