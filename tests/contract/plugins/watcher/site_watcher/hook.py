"""A hook as a package of others may bring it: a finding, and a kind of job that only looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from runner.hookspecs import hookimpl
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft, JobKind
from runner.model.plan import Command, Effect, Finding, PlannedJob, Step
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.site import Job, Site


@dataclass(frozen=True, kw_only=True, slots=True)
class PuddleOptions:
    """The keys of a job of kind `puddle`, besides those of every job."""

    folder: str
    every: timedelta = timedelta(days=1)
    deep: int = 3


class Puddle:
    """A kind of job: look for puddles below a folder."""

    name = "puddle"
    looks = True
    options = PuddleOptions
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {
            "folder": {"type": "string", "description": "Where to look.", "examples": ["/srv"]},
            "every": {"type": "string", "format": "duration", "description": "How often.", "examples": ["2h"]},
            "deep": {"type": "integer", "minimum": 1, "description": "In how deep folders.", "examples": [3]},
        },
        "required": ["folder"],
    }

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """Ask for the names in the folder."""
        path = site.host(job.host).at(job.options.folder)
        return (Probe(id=f"watcher.{job.name}", host=job.host, argv=("ls", "-1", "--", path)),)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Make one step that looks."""
        reading = facts.reading(job.host, f"watcher.{job.name}")
        names = len(reading.out.splitlines()) if reading else 0
        argv = ("find", site.host(job.host).at(job.options.folder), "-maxdepth", str(job.options.deep))
        step = Step(
            id=f"{job.name}/look",
            job=job.name,
            host=job.host,
            action=Command(argv=argv),
            effect=Effect.READ,
            why=f"looks for puddles at {names} places",
        )
        return Draft(planned=PlannedJob(name=job.name, kind=self.name, after=job.after), steps=(step,))

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: object) -> JobReport:
        """Say how the look ended."""
        done = all(one.state == State.DONE for one in outcomes)
        verdict, end = (Verdict.DONE, "every puddle was seen") if done else (Verdict.FAILED, "it was too dark")
        return JobReport(job=job.name, verdict=verdict, headline=end)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watcher:
    """The plugin."""

    place: str

    @hookimpl
    def declare_kinds(self) -> Sequence[JobKind]:
        return [Puddle()]

    @hookimpl
    def check_plan(self, site: Site) -> Sequence[Finding]:
        return [Finding(severity="note", text=f"someone looks after {self.place} of {site.name}", source="watcher")]


def make(settings: Mapping[str, Any]) -> Watcher:
    """Make the plugin from its table in jobs.toml."""
    return Watcher(place=settings["place"])
