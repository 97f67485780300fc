"""What a kind of job is: its own keys in jobs.toml, the facts it needs, the steps it wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from runner.model.facts import Facts, Probe
from runner.model.plan import Finding, PlannedJob, Skip, Step
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Amount, Job, Site


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotOptions:
    """What a `snapshot` job says beside the common keys.

    `exclude` are absolute folders or files of the host whose content is left out; `filesystems`
    overrides the host's and is empty for all; `timeout` ends a transfer that takes longer.
    """

    store: str
    ownership: Literal["numeric"] = "numeric"
    exclude: tuple[str, ...] = ()
    filesystems: tuple[str, ...] = ()
    timeout: timedelta = timedelta(hours=20)


@dataclass(frozen=True, kw_only=True, slots=True)
class PruneOptions:
    """What a `prune` job says: which store."""

    store: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckOptions:
    """What a `check` job says: which store, how old its newest snapshot may be, how long room must last.

    `proven_every`: the last restore that was seen to work may be this old; None where nobody asks.
    """

    store: str
    newest_within: timedelta = timedelta(hours=36)
    runway: timedelta = timedelta(days=30)
    proven_every: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditOptions:
    """What an `audit` job says: which store, how often all of it is read, how much and how long a night."""

    store: str
    every: timedelta = timedelta(days=60)
    most: Amount = Amount(bytes=100 << 30)
    within: timedelta = timedelta(hours=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class DrillOptions:
    """What a `drill` job says: what is brought back from which store, and where to on the source's host.

    `files` and `most` (bytes) bound the random sample; `canaries` are absolute paths that must come back
    from the newest snapshot, folders with all that is in them. `database` names a job of kind `dump`, ""
    for files only. `seed` is "" for another sample each time.
    """

    store: str
    files: int = 200
    most: Amount = Amount(bytes=1 << 30)
    canaries: tuple[str, ...] = ()
    database: str = ""
    scratch: str = "/var/restored/drill"
    seed: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What a kind makes of a job: a planned job with its steps, or a skip; findings with either."""

    planned: PlannedJob | None = None
    steps: tuple[Step, ...] = ()
    skip: Skip | None = None
    findings: tuple[Finding, ...] = ()


class JobKind(Protocol):
    """A kind of job. `schema` is the JSON Schema (an object) of the kind's own keys, `options` the
    frozen dataclass they become. Its methods are pure: no I/O, no clock but `now`."""

    @property
    def name(self) -> str:
        """The word after `kind =`."""
        ...

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON Schema 2020-12 of the kind's own keys: `type`, `properties`, `required`."""
        ...

    @property
    def options(self) -> type[Any]:
        """The frozen dataclass that the kind's own keys become."""
        ...

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """Name the READ commands whose output `draft` needs, beyond host and store facts."""
        ...

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Turn the job into steps, or say why it is skipped."""
        ...

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """Say what became of the job, from the outcomes of its steps.

        A kind that a plugin brings may leave this out: how the job stopped, or how many steps were done,
        is said then.
        """
        ...
