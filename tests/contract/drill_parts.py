"""A store, the host it came from, and drills of it that are really planned and really run."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from runner.engine import execute, probe
from runner.hosts.transport import Local
from runner.jobs.database.dump import DumpOptions
from runner.jobs.drill.drill import DrillKind
from runner.jobs.drill.report import drill_report
from runner.model.facts import Facts, HostFacts
from runner.model.options import DrillOptions, SnapshotOptions
from runner.model.plan import Plan
from runner.model.run import JobReport, Outcome
from runner.model.site import Host, Job, Retention, Site, Store
from runner.planning import planner
from runner.tools import agent as tool
from tests.contract.site import entered
from tests.contract.storehouse import Storehouse

DUMPS = "/srv/dumps"


@dataclass(frozen=True, kw_only=True)
class Drilled:
    """What became of a drill."""

    plan: Plan
    outcomes: tuple[Outcome, ...]

    @property
    def report(self) -> JobReport:
        (job,) = (job for job in self.plan.jobs if job.kind == "drill")
        report = drill_report(job, [outcome for outcome in self.outcomes if outcome.job == job.name])
        assert report is not None
        return report

    @property
    def states(self) -> dict[str, str]:
        return {outcome.step.partition("/")[2]: outcome.state.value for outcome in self.outcomes}

    def result(self, name: str) -> dict[str, Any]:
        return next(dict(outcome.result) for outcome in self.outcomes if outcome.step == f"drill/{name}")


@dataclass(frozen=True, kw_only=True)
class World:
    """The host `papio` below `base/host`, its snapshots in `base/store`, drilled by the plan of the kind."""

    base: Path

    @property
    def source(self) -> Path:
        return self.base / "host"

    @property
    def house(self) -> Storehouse:
        return Storehouse(root=self.base / "store", source=self.source)

    @property
    def scratch(self) -> Path:
        return self.source / "var/restored/drill"

    @property
    def proven(self) -> dict[str, Any]:
        path = self.house.root / ".runner/proven.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def site(self, options: DrillOptions, user: str = "") -> Site:
        drill = Job(name="drill", kind="drill", host="papio", options=options)
        backup = Job(name="backup", kind="snapshot", host="papio", options=SnapshotOptions(store="papio"))
        dump = Job(name="dump", kind="dump", host="papio", options=DumpOptions(to=DUMPS, user=user))
        return Site(
            name="s", controller="papio", folder=str(self.base), state=str(self.base / "state"), live=True,
            sandbox="", digest="0" * 64, hosts=(Host(name="papio", address="", root=str(self.source)),),
            stores=(Store(name="papio", host="papio", path="/store", retention=Retention(min=1, max=400)),),
            jobs=(backup, dump, drill),
        )  # fmt: skip

    def facts(self) -> Facts:
        program = self.source / tool.PROGRAM.lstrip("/")
        stores = [{"name": "papio", "path": str(self.house.root), "mount": "", "uuid": ""}]
        request = {"host": "papio", "stores": stores, "program": str(program)}
        answer = self.house.call("probe", given=json.dumps(request).encode()).answer
        facts = msgspec.convert({**answer, "name": "papio"}, HostFacts, strict=False)
        return Facts(at=datetime.now(UTC), hosts={"papio": facts}, program=facts.program)

    def plan(self, user: str = "", **options: Any) -> Plan:
        drill = DrillOptions(**{"store": "papio", "files": 40, "seed": "a seed", **options})
        site, facts = self.site(drill, user), self.facts()
        draft = DrillKind().draft(site, site.job("drill"), facts, facts.at)
        return planner.assemble(site, (draft,), facts, {})

    def drill(self, user: str = "", **options: Any) -> Drilled:
        return self.run(self.plan(user, **options))

    def run(self, plan: Plan, stop: threading.Event | None = None) -> Drilled:
        outcomes = execute.run(plan, execute.Means(
            transports={"papio": Local("papio")}, artifacts={}, spool=self.base / "spool",
            already=lambda job: "",
            begun=lambda step, at: None, ended=lambda step, outcome: None, left=lambda job, outcomes: None,
            tell=lambda event: None, stop=stop or threading.Event(),
        ))  # fmt: skip
        return Drilled(plan=plan, outcomes=outcomes)

    def audit(self) -> None:
        """Write the manifests of what is sealed, as the nightly audit does."""
        words = ("--bytes", "1000000000", "--seconds", "60", "--every", "1", "--plan", self.house.plan)
        with self.house.held():
            assert self.house.call("audit", str(self.house.root), *words).code == 0

    def at(self, snapshot: str, path: str) -> Path:
        return self.house.root / snapshot / path


@contextlib.contextmanager
def world() -> Iterator[World]:
    """A host with runner-agent and nothing else; in a folder short enough for a socket."""
    with entered(prefix="drill-") as base:
        place = World(base=base)
        program = place.source / tool.PROGRAM.lstrip("/")
        program.parent.mkdir(parents=True)
        program.write_bytes(probe.runner_agent())
        program.chmod(0o755)
        yield place


def copied(place: World, base: Path) -> World:
    """The same once more, for a test that damages it."""
    subprocess.run(("cp", "-a", f"{place.base}/.", base), check=True)
    return replace(place, base=base)


def servers(base: Path) -> list[int]:
    """The processes that work in a folder below `base`."""
    pids = []
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if each.name.isdigit() and str(os.readlink(each / "cwd")).startswith(str(base)):  # noqa: PTH115
                pids.append(int(each.name))
    return pids
