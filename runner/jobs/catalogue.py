"""The table of kinds, written out by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from runner.jobs.bundled import own_keys
from runner.model import options
from runner.model.facts import Facts, Probe
from runner.model.kind import Beyond, Draft, JobKind
from runner.model.plan import PREPARE, Finding, Forecast, PlannedJob, Skip
from runner.model.run import Around, JobReport, Outcome, Reporter
from runner.model.site import Job, Site


@dataclass(frozen=True, kw_only=True, slots=True)
class Late:
    """The kind `name`; `place` is its class as `module:Class` below runner.jobs.

    `looks` says that it only looks: it is planned when everything else of the run is done. `records`: what it
    makes tells for which instant it was made. `live`: the sandbox has nothing for it.
    """

    name: str
    place: str
    options: type[Any]
    looks: bool = False
    records: bool = False
    live: bool = False

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

    def doubt(self, site: Site, job: Job, facts: Facts, forecast: Forecast) -> Finding | None:
        """See Beyond."""
        return _kind(self.place).doubt(site, job, facts, forecast)

    def done(self, site: Site, job: Job, facts: Facts) -> Skip | None:
        """See Beyond."""
        return _kind(self.place).done(site, job, facts)

    def together(self, site: Site, jobs: Sequence[Job], drafts: tuple[Draft, ...], facts: Facts) -> tuple[Draft, ...]:
        """See Beyond."""
        return _kind(self.place).together(site, jobs, drafts, facts)

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return _kind(self.place).report(job, outcomes, around)


@dataclass(frozen=True, kw_only=True, slots=True)
class LateReport:
    """How jobs end that jobs.toml has none of; `place` is a function as `module:name` below runner.jobs."""

    place: str

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See Reporter."""
        module, _, name = self.place.partition(":")
        report: JobReport = getattr(import_module(f"runner.jobs.{module}"), name)(job, outcomes, around)
        return report


@cache
def _kind(place: str) -> Beyond:
    module, _, made = place.partition(":")
    kind: Beyond = getattr(import_module(f"runner.jobs.{module}"), made)()
    return kind


# What is amiss with one of these is told before what is amiss with those behind it.
KINDS: dict[str, JobKind] = {
    "snapshot": Late(
        name="snapshot", place="snapshots.snapshot:SnapshotKind", options=options.SnapshotOptions, records=True
    ),
    "dump": Late(name="dump", place="database.dump:DumpKind", options=options.DumpOptions, records=True, live=True),
    "prune": Late(name="prune", place="retention.prune:PruneKind", options=options.PruneOptions),
    "audit": Late(name="audit", place="retention.audit:AuditKind", options=options.AuditOptions),
    "check": Late(name="check", place="snapshots.check:CheckKind", options=options.CheckOptions, looks=True),
    "drill": Late(name="drill", place="drill.drill:DrillKind", options=options.DrillOptions),
    "disk": Late(name="disk", place="disks.disk:DiskKind", options=options.DiskOptions, live=True),
    "halt": Late(name="halt", place="power.halt:HaltKind", options=options.HaltOptions, live=True),
    "reboot": Late(name="reboot", place="power.reboot:RebootKind", options=options.RebootOptions, live=True),
    "updates": Late(name="updates", place="packages.updates:UpdatesKind", options=options.UpdatesOptions, live=True),
    "upgrade": Late(name="upgrade", place="packages.upgrade:UpgradeKind", options=options.UpgradeOptions, live=True),
    "access": Late(name="access", place="access.access:AccessKind", options=options.AccessOptions, live=True),
}

# Jobs that a person asks for by a verb of their own, and the one that the planner adds. A pin has nothing to add.
REPORTERS: dict[str, Reporter] = {
    PREPARE: LateReport(place="prepare:prepare_report"),
    "aside": LateReport(place="retention.report:aside_report"),
    "drop": LateReport(place="retention.report:drop_report"),
    "restore": LateReport(place="snapshots.restore:restore_report"),
    "restore-db": LateReport(place="database.report:restored"),
    "swap-db": LateReport(place="database.report:restored"),
}

# No plugin may bring a kind of such a name: these are here, or the runner makes such jobs by itself.
TAKEN = frozenset((*KINDS, *REPORTERS, "pin", "enrol"))


def together(brought: Iterable[JobKind]) -> dict[str, JobKind]:
    """The bundled kinds and those that plugins bring, by name."""
    return {**KINDS, **{kind.name: kind for kind in brought}}


def weight(kind: str) -> int:
    """How much matters what is amiss with a job of that kind: 0 most. What a plugin brings comes last."""
    return list(KINDS).index(kind) if kind in KINDS else len(KINDS)


def only_live(kind: str) -> bool:
    """Whether the sandbox has nothing for jobs of that kind. What a plugin brings may have something there."""
    known = KINDS.get(kind)
    return isinstance(known, Late) and known.live


def looking_kinds(kinds: Mapping[str, JobKind]) -> frozenset[str]:
    """The kinds that only look, and so are planned when everything else of the run is done."""
    return frozenset(name for name, kind in kinds.items() if getattr(kind, "looks", False))
