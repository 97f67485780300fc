"""A `dump` job from what a real server answers to the report: planned, run by the real executor, told."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runner.engine import execute
from runner.hosts.transport import Local
from runner.jobs.catalogue import KINDS
from runner.jobs.database.dump import DumpOptions
from runner.jobs.database.report import dump_report
from runner.model.facts import Facts, Reading
from runner.model.plan import Plan
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.site import Host, Job, Site
from runner.planning import planner
from tests.contract import pg
from tests.contract.dump_parts import Dumps, at, folder
from tests.contract.storehouse import PROGRAM, REPOSITORY
from tests.contract.storehouse import execute as call
from tests.unit import parts

pytestmark = pytest.mark.packages

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Papio:
    """A live site whose papio is this machine, with runner-agent in a folder of the test's."""

    dumps: Dumps
    root: Path
    keep: int = 1

    @property
    def job(self) -> Job:
        options = DumpOptions(
            to=str(self.dumps.root), user=self.dumps.cluster.user, socket=str(self.dumps.cluster.sockets),
            keep=self.keep, keep_for=DAY / 2,
        )  # fmt: skip
        return Job(name="dump-papio", kind="dump", host="papio", options=options)

    @property
    def site(self) -> Site:
        host = Host(name="papio", address="papio.example.edu", root=str(self.root))
        return parts.site(hosts=(host,), stores=(), disks=(), jobs=(self.job,))

    def install(self) -> None:
        program = self.root / "usr/local/sbin/runner-agent"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(
            f"#!/bin/sh\nexport PYTHONPATH={REPOSITORY}\n"
            f'[ "$1" != hold-host ] || set -- "$@" --run={self.root}/lock --state={self.root}/state\n'
            f'exec {shlex.join(PROGRAM)} "$@"\n'
        )
        program.chmod(0o755)

    def plan(self, now: datetime) -> Plan:
        self.install()
        readings = {}
        for probe in KINDS["dump"].probes(self.site, self.job):
            result = call((*PROGRAM, *probe.argv[1:]))
            readings[probe.id] = Reading(exit=result.code, out=result.out.decode())
        known = parts.facts(at=now)
        papio = replace(known.hosts[parts.PAPIO], readings=readings)
        facts: Facts = replace(known, hosts={"papio": papio})
        return planner.draft(self.site, (self.job,), facts, KINDS, {})

    def run(self, plan: Plan) -> tuple[dict[str, Outcome], JobReport | None]:
        outcomes = execute.run(plan, execute.Means(
            transports={"papio": Local("papio")}, artifacts={}, spool=self.root / "spool", tell=lambda event: None,
            already=lambda job: "",
            begun=lambda step, at: None, ended=lambda step, outcome: None, left=lambda job, outcomes: None,
            stop=threading.Event(),
        ))  # fmt: skip
        return {one.step.partition("/")[2]: one for one in outcomes}, dump_report(plan.jobs[-1], outcomes)


@pytest.fixture(scope="module")
def cluster() -> Iterator[pg.Cluster]:
    with pg.cluster() as one:
        pg.fill(one)
        yield one


@pytest.fixture
def papio(cluster: pg.Cluster, tmp_path: Path) -> Iterator[Papio]:
    with folder(cluster) as dumps:
        yield Papio(dumps=dumps, root=tmp_path)


def test_every_database_is_dumped_and_the_old_dumps_go_a_run_later(papio: Papio) -> None:
    done, report = papio.run(papio.plan(parts.NOW))
    assert {one.state for one in done.values()} == {State.DONE}, done
    assert report and report.verdict == Verdict.DONE
    names = papio.dumps.cluster.databases()
    assert f"dumped {len(names)} databases with" in report.headline
    assert sorted(papio.dumps.listed()["databases"]) == sorted(names)
    done, report = papio.run(papio.plan(parts.NOW + DAY))
    assert {one.state for one in done.values()} == {State.DONE}, done
    assert report and f"{len(names) + 1} old dumps expired" in report.details
    listed = papio.dumps.listed()
    assert {len(found) for found in listed["databases"].values()} == {1} and len(listed["globals"]) == 1


def test_a_database_dropped_after_the_plan_fails_nothing_and_a_new_one_waits(papio: Papio) -> None:
    cluster = papio.dumps.cluster
    cluster.run("createdb", "passing")
    plan = papio.plan(parts.NOW)
    cluster.run("dropdb", "passing")
    cluster.run("createdb", "coming")
    done, report = papio.run(plan)
    cluster.run("dropdb", "coming")
    assert {one.state for one in done.values()} == {State.DONE}
    assert report and report.verdict == Verdict.ATTENTION
    assert "passing was dropped after the plan was made" in report.headline
    assert "new since the plan was made, dumped the next time: coming" in report.details


def test_one_database_that_fails_spares_its_old_dumps_and_no_other(papio: Papio) -> None:
    papio.run(papio.plan(parts.NOW))
    # Somebody put a folder where the next dump is to be written.
    plan = papio.plan(parts.NOW + DAY)
    (papio.dumps.home("babase") / f"{at(24)[:10]}T081500Z.dump.part").mkdir()
    done, report = papio.run(plan)
    assert (done["dump-babase"].exit, done["dump-empty"].exit) == (1, 0)
    assert done["all"].state == State.FAILED
    expired = {name: one.state for name, one in done.items() if name.startswith("expire-")}
    assert [name for name, state in expired.items() if state == State.NOT_NEEDED] == [
        "expire-babase-2026-11-23T081500Z"
    ]
    assert report and report.verdict == Verdict.FAILED and "dump-babase failed" in report.headline
    assert "database babase: stale since 20" in report.headline
    assert len(papio.dumps.listed()["databases"]["babase"]) == 1


def test_a_server_that_went_down_after_the_plan_is_told_and_nothing_is_touched(tmp_path: Path) -> None:
    with pg.cluster() as one, folder(one) as dumps:
        papio = Papio(dumps=dumps, root=tmp_path)
        papio.run(papio.plan(parts.NOW))
        plan = papio.plan(parts.NOW + DAY)
        one.stop()
        done, report = papio.run(plan)
        assert done["answers"].state == State.FAILED and done["globals"].state == State.NOT_REACHED
        assert report and "does not answer" in report.headline and "database: stale since 20" in report.headline
        # A plan made while it is down asks it once more.
        later = papio.plan(parts.NOW + 2 * DAY)
        assert [step.id.partition("/")[2] for step in later.steps][:3] == ["answers", "globals", "dump-postgres"]
        one.start()
        done, report = papio.run(later)
        assert report and report.verdict == Verdict.DONE
