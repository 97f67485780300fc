"""The events of a run while it runs; progress displays and `observe` hooks get these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runner.model.plan import Plan, Step
from runner.model.run import Outcome, Report


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted:
    """A plan begins; `again` is 0 for the first pass of a run, `timezone` the site's."""

    run: str
    plan: Plan
    at: datetime
    again: int = 0
    timezone: str = "UTC"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepStarted:
    """A step begins."""

    step: Step
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A running step has handled `files` files and about `bytes` bytes so far; sent at most twice a second.

    What is there of a file that is being sent is counted too, as far as it can be seen from here.
    """

    step: str
    job: str
    files: int
    bytes: int
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A step waits for a host; sent whenever `seen`, what is seen of the host, changes."""

    step: str
    job: str
    seen: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFinished:
    """A step ended."""

    step: Step
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFinished:
    """The run is over and recorded; the report goes to people now."""

    run: str
    report: Report
    at: datetime


Event = RunStarted | StepStarted | Progress | Waiting | StepFinished | RunFinished
