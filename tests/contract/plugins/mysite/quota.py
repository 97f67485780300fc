"""Watches folders that people fill: warns above a limit, shows who uses the room, tells a monitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from runner.hookspecs import hookimpl
from runner.model.event import Event, RunStarted
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft, JobKind
from runner.model.plan import Command, Effect, Finding, Insertion, PlannedJob, Step
from runner.model.run import Report
from runner.model.site import Job, Site


@dataclass(frozen=True, kw_only=True, slots=True)
class SizesOptions:
    """The keys of a job of kind `sizes`, besides those of every job."""

    folder: str


class Sizes:
    """A kind of job: show how much each folder below one folder holds."""

    name = "sizes"
    options = SizesOptions
    schema = {
        "type": "object",
        "properties": {"folder": {"type": "string", "description": "Whose folders.", "examples": ["/home"]}},
        "required": ["folder"],
    }

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """Need nothing but what is known of every host."""
        return ()

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Make one step that only reads."""
        step = _show(f"{job.name}/sizes", job.name, job.host, site.host(job.host).at(job.options.folder))
        return Draft(planned=PlannedJob(name=job.name, kind=self.name, after=job.after), steps=(step,))


class Quota:
    """The plugin: it keeps its settings, and gets the site where it needs it."""

    def __init__(self, host: str, folder: str, limit: int, monitor: str) -> None:
        self.host, self.folder, self.limit, self.monitor = host, folder, limit, monitor

    @hookimpl
    def declare_kinds(self) -> Sequence[JobKind]:
        return [Sizes()]

    @hookimpl
    def declare_probes(self, site: Site) -> Sequence[Probe]:
        argv = ("du", "--summarize", "--block-size=1", "--one-file-system", "--", self._path(site))
        return [Probe(id="mysite.quota", host=self.host, argv=argv)]

    @hookimpl
    def add_steps(self, site: Site, job: PlannedJob, steps: tuple[Step, ...], facts: Facts) -> Sequence[Insertion]:
        used = self._used(facts)
        if job.kind != "snapshot" or not steps or used is None or used <= self.limit:
            return []
        step = _show(f"{job.name}/quota", job.name, self.host, self._path(site))
        return [Insertion(step=step, where="before", anchor=steps[0].id)]

    @hookimpl
    def check_plan(self, facts: Facts) -> Sequence[Finding]:
        used = self._used(facts)
        if used is None:
            text = f"the size of {self.folder} on {self.host} is not known"
            return [Finding(severity="note", text=text, source="mysite.quota")]
        if used <= self.limit:
            return []
        text = f"{self.folder} on {self.host} holds {used} bytes, allowed are {self.limit}"
        return [Finding(severity="attention", text=text, source="mysite.quota", do="ask its users to tidy up")]

    @hookimpl
    def observe(self, event: Event) -> None:
        if isinstance(event, RunStarted) and event.plan.live:
            Path(self.monitor).write_text("running\n", encoding="utf-8")

    @hookimpl
    def deliver_report(self, report: Report) -> None:
        if not report.sandbox:
            Path(self.monitor).write_text(f"{report.verdict}\n", encoding="utf-8")

    def _path(self, site: Site) -> str:
        return site.host(self.host).at(self.folder)

    def _used(self, facts: Facts) -> int | None:
        reading = facts.reading(self.host, "mysite.quota")
        size = reading.out.split("\t")[0] if reading else ""
        return int(size) if size.isdecimal() else None


def plugin(settings: Mapping[str, Any]) -> Quota:
    """Make the plugin from the settings of its table in jobs.toml."""
    return Quota(settings["host"], settings["folder"], settings["limit_bytes"], settings["monitor"])


def _show(name: str, job: str, host: str, path: str) -> Step:
    argv = ("du", "--human-readable", "--max-depth=1", "--one-file-system", "--", path)
    return Step(
        id=name, job=job, host=host, action=Command(argv=argv), effect=Effect.READ,
        why="shows who uses the room", ok_codes=(0, 1), timeout=3600,
    )  # fmt: skip
