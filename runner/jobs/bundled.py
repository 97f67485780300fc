"""What the bundled kinds have in common: their own keys of jobs.toml, from schema/kinds/."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import schema
from runner.model.cause import Fault, of_store
from runner.model.facts import Facts, Probe, StoreFacts
from runner.model.kind import Draft
from runner.model.plan import Finding, Forecast, PlannedJob, Skip
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Job, Site, Store
from runner.report.default import default_report


class Bundled:
    """A kind that comes with the runner; host and store facts are enough for it unless it says otherwise."""

    name: ClassVar[str]
    options: ClassVar[type[Any]]

    @property
    def schema(self) -> Mapping[str, Any]:
        """The kind's own keys."""
        return own_keys(self.name)

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """None beside host and store facts."""
        return ()

    def doubt(self, site: Site, job: Job, facts: Facts, forecast: Forecast) -> Finding | None:
        """See Beyond: nothing of its past speaks against it."""
        return None

    def together(self, site: Site, jobs: Sequence[Job], drafts: tuple[Draft, ...], facts: Facts) -> tuple[Draft, ...]:
        """See Beyond: nothing to settle with other jobs."""
        return drafts

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """How it stopped, or what was done."""
        return default_report(job, outcomes, around)


@cache
def own_keys(kind: str) -> Mapping[str, Any]:
    """JSON Schema 2020-12 of the keys that jobs of this bundled kind have beside the common ones."""
    text = (Path(schema.__file__).parent / f"kinds/{kind}.schema.json").read_text("utf-8")
    keys: Mapping[str, Any] = json.loads(text)
    return keys


def unusable(job: Job, store: Store, facts: StoreFacts, do: str) -> Draft | None:
    """The skip of a job whose store cannot be used, with what to `do`; None where it can."""
    if not facts.problem:
        return None
    text = f"store {store.name} on {store.host} cannot be used: {facts.problem}"
    cause = of_store(store.name, Fault.UNUSABLE)
    finding = Finding(severity="attention", source=job.name, text=text, do=do, cause=cause)
    return Draft(skip=Skip(job=job.name, reason=text, cause=cause), findings=(finding,))
