"""A bundled kind whose module is loaded when a job of it is planned: reading jobs.toml needs only its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from runner.jobs.bundled import own_keys
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft, JobKind
from runner.model.site import Job, Site


@dataclass(frozen=True, kw_only=True, slots=True)
class Late:
    """The kind `name`; `place` is its class as `module:Class` below runner.jobs."""

    name: str
    place: str
    options: type[Any]

    @property
    def schema(self) -> Mapping[str, Any]:
        """The kind's own keys."""
        return own_keys(self.name)

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """See JobKind."""
        return _kind(self.place).probes(site, job)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """See JobKind."""
        return _kind(self.place).draft(site, job, facts, now)


@cache
def _kind(place: str) -> JobKind:
    module, _, made = place.partition(":")
    kind: JobKind = getattr(import_module(f"runner.jobs.{module}"), made)()
    return kind
