"""What a kind of job is: its own keys in jobs.toml, the facts it needs, the steps it wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from runner.model.facts import Facts, Probe
from runner.model.plan import Finding, Forecast, PlannedJob, Skip, Step
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Job, Site


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What a kind makes of a job: a planned job with its steps, or a skip; findings with either.

    `anew`: it writes all there is, as if for the first time: what it wrote before says nothing of how much that is.
    """

    planned: PlannedJob | None = None
    steps: tuple[Step, ...] = ()
    skip: Skip | None = None
    findings: tuple[Finding, ...] = ()
    anew: bool = False


class JobKind(Protocol):
    """A kind of job. `schema` is the JSON Schema (an object) of the kind's own keys, `options` the
    frozen dataclass they become. Its methods are pure: no I/O, no clock but `now`."""

    @property
    def name(self) -> str:
        """The word after `kind =`."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON Schema 2020-12 of the kind's own keys: `type`, `properties`, `required`."""

    @property
    def options(self) -> type[Any]:
        """The frozen dataclass that the kind's own keys become."""

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """Name the READ commands whose output `draft` needs, beyond host and store facts."""

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Turn the job into steps, or say why it is skipped."""

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """Say how the job ended, from the outcomes of its steps.

        A kind that a plugin brings may leave this out: how the job stopped, or how many steps were done,
        is said then.
        """


class Beyond(JobKind, Protocol):
    """A kind may have any of these besides: it looks beyond one job and today. Pure."""

    def doubt(self, site: Site, job: Job, facts: Facts, forecast: Forecast) -> Finding | None:
        """Why the job must not be planned, judged by its past runs; None where there is no reason."""

    def together(self, site: Site, jobs: Sequence[Job], drafts: tuple[Draft, ...], facts: Facts) -> tuple[Draft, ...]:
        """Settle what the drafts of one plan mean for each other. Asked twice, the second changes nothing."""

    def done(self, site: Site, job: Job, facts: Facts) -> Skip | None:
        """What the job left behind for its instant, where that is whole; None where it must still be done.

        Asked of a kind whose `records` is true; for any other the journal knows.
        """
