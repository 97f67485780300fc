"""The kinds `updates` and `upgrade` on a real Debian over a real ssh: planned, run, cut off, taken up again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.engine import execute, probe
from runner.hosts.reach import transports, write_ssh_config
from runner.jobs.packages import upgrade_steps
from runner.jobs.packages.report import packages_report
from runner.jobs.packages.updates import UpdatesKind, UpdatesOptions
from runner.jobs.packages.upgrade import UpgradeKind, UpgradeOptions
from runner.model.event import Event, StepStarted
from runner.model.kind import JobKind
from runner.model.plan import Plan
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.site import Host, Job, Site
from runner.planning import planner, review
from tests.lab.archive import SECURITY, STABLE, Archive, Deb
from tests.lab.debian import HOLD, World, unpack
from tests.lab.package_files import KERNEL, META, NEW, OLD, by_aptitude, by_dpkg

UPDATES = Job(name="updates-debian", kind="updates", host="debian", options=UpdatesOptions())
UPGRADE = Job(name="upgrade-debian", kind="upgrade", host="debian", options=UpgradeOptions(reboot="no"))
NEXT = "linux-image-9.9.10-demo"
SLOW = Deb(name="libc-demo", version="1.1", scripts={"postinst": "touch /root/at-work; sleep 6"})


class Reached:
    """The world as a host of a site, and what it takes to plan and run a job there."""

    def __init__(self, world: World, folder: Path) -> None:
        world.serve_ssh()
        host_key = world.path("/etc/ssh/test_key.pub").read_text()
        known = folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{world.port} {host_key}")
        debian = Host(
            name="debian", address="127.0.0.1", port=world.port, key=str(world.key), packages="apt", hold=HOLD
        )
        self.site = Site(
            name="test", controller="papio", folder=str(folder), state=str(folder), sandbox=str(folder), digest="d",
            live=True, known_hosts=str(known), hosts=(Host(name="papio", address=""), debian), jobs=(UPDATES, UPGRADE),
        )  # fmt: skip
        config = folder / "ssh_config"
        write_ssh_config(self.site, config)
        self.ways = transports(self.site, config)
        self.folder = folder
        self.seen: list[str] = []
        self.began = threading.Event()

    def plan(self, job: Job) -> Plan:
        """The plan for this job as of now."""
        content = probe.runner_agent()
        kinds: dict[str, JobKind] = {"updates": UpdatesKind(), "upgrade": UpgradeKind()}
        asked = kinds[job.kind].probes(self.site, job)
        facts = probe.gather(self.site, ("papio", "debian"), asked, self.ways, at=datetime.now(UTC), program=content)
        assert facts.hosts["debian"].error == ""
        plan = planner.draft(self.site, (job,), facts, kinds, {})
        assert review.check(plan) == ()
        assert plan.refusals == ()
        return plan

    def run(self, plan: Plan) -> tuple[Outcome, ...]:
        """Run it over ssh."""
        return execute.run(plan, execute.Means(
            transports=self.ways, artifacts={"runner-agent": probe.runner_agent()}, spool=self.folder / "spool",
            already=lambda job: "",
            begun=lambda step, at: None, ended=lambda step, outcome: None, left=lambda job, outcomes: None,
            tell=self._told, stop=threading.Event(),
        ))  # fmt: skip

    def _told(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self.seen.append(event.step.id)


def report(plan: Plan, outcomes: tuple[Outcome, ...]) -> JobReport:
    """What is said of the plan's own job."""
    job = plan.jobs[-1]
    report = packages_report(job, [outcome for outcome in outcomes if outcome.job == job.name])
    assert report is not None
    return report


def state_of(outcomes: tuple[Outcome, ...], name: str) -> State:
    return next(outcome.state for outcome in outcomes if outcome.step.endswith(f"/{name}"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("debian"))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive(tmp_path / "archive") as made:
        yield made


@pytest.fixture
def world(base: Path, tmp_path: Path, archive: Archive) -> Iterator[World]:
    with World(base, tmp_path / "world", archive) as made:
        archive.add(*OLD)
        made.install("demo-app", "demo-feature", META)
        # What is published within the same second as the lists were fetched looks unchanged to HTTP.
        time.sleep(1.1)
        yield made


@pytest.fixture
def site(world: World, tmp_path: Path) -> Reached:
    return Reached(world, tmp_path)


def published(archive: Archive, *instead: Deb) -> None:
    """The new versions are there to be had, some of them as other builds."""
    names = {one.name for one in instead}
    archive.add(*(one for one in NEW if one.name not in names), *instead, suite=SECURITY)
    archive.add(Deb(name="demo-feature", version="1.1"), suite=STABLE)


def test_the_daily_updates_hold_install_and_say_what_waits(world: World, archive: Archive, site: Reached) -> None:
    published(archive)
    plan = site.plan(UPDATES)
    outcomes = site.run(plan)
    assert {outcome.state for outcome in outcomes} == {State.DONE}
    said = report(plan, outcomes)
    assert said.headline.startswith("1 package upgraded, 1 package newly installed")
    assert "demo-lib 1.0 -> 1.1" in said.details
    assert world.versions("demo-lib", "demo-feature", KERNEL) == {
        "demo-lib": "ii 1.1", "demo-feature": "ii 1.0", KERNEL: "hi 1.0",
    }  # fmt: skip
    assert by_dpkg(world) == by_aptitude(world) == {KERNEL, META, "libc-demo"}
    waiting = [finding.advice for finding in plan.findings if finding.text.startswith("held back: ")]
    asked = "when it suits people, run: runner run upgrade-debian --package"
    assert waiting == [f"{asked} libc-demo --yes", f"{asked} {META} --yes"]
    again = site.plan(UPDATES)
    assert again.effect == 1
    assert report(again, site.run(again)).verdict == Verdict.NOTHING


def test_the_upgrade_installs_what_is_held_and_holds_it_and_the_next_kernel(
    world: World, archive: Archive, site: Reached, monkeypatch: pytest.MonkeyPatch
) -> None:
    # For half a minute it would look again and again whether there is something to boot.
    monkeypatch.setattr(upgrade_steps, "_LOOKED", 1)
    published(archive)
    plan = site.plan(UPGRADE)
    outcomes = site.run(plan)
    # This Debian has no kernel of its own in /boot, and so none that could be booted.
    assert {outcome.step for outcome in outcomes if outcome.state == State.FAILED} == {"upgrade-debian/initrd"}
    assert world.versions("libc-demo", "demo-app", META, NEXT) == {
        "libc-demo": "hi 1.1", "demo-app": "ii 1.1", META: "hi 2", NEXT: "hi 1.0",
    }  # fmt: skip
    assert by_dpkg(world) == by_aptitude(world) == {KERNEL, META, NEXT, "libc-demo"}
    assert report(plan, outcomes).verdict == Verdict.FAILED


def test_a_failed_upgrade_holds_again_and_says_which_package_broke(
    world: World, archive: Archive, site: Reached
) -> None:
    published(archive, replace(SLOW, scripts={"postinst": "exit 1"}))
    plan = site.plan(replace(UPGRADE, options=replace(UPGRADE.options, packages=("libc-demo",))))
    outcomes = site.run(plan)
    assert state_of(outcomes, "upgrade") == State.FAILED
    assert state_of(outcomes, "hold") == state_of(outcomes, "held") == State.DONE
    assert state_of(outcomes, "whole") == State.NOT_REACHED
    assert by_dpkg(world) == by_aptitude(world) == {KERNEL, META, "libc-demo"}
    said = report(plan, outcomes)
    assert said.verdict == Verdict.FAILED
    assert "libc-demo 1.0 -> 1.1, and it is half-configured" in said.details


def test_a_connection_lost_in_the_middle_of_an_upgrade_costs_neither_the_holds_nor_the_message(
    world: World, archive: Archive, site: Reached
) -> None:
    published(archive, SLOW)
    job = replace(UPGRADE, options=replace(UPGRADE.options, packages=("libc-demo",)))
    plan = site.plan(job)
    found: list[tuple[Outcome, ...]] = []
    thread = threading.Thread(target=lambda: found.append(site.run(plan)))
    thread.start()
    until = time.monotonic() + 60
    while not world.path("/root/at-work").exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    listener = world.run("pgrep", "-o", "-x", "sshd").stdout.strip()
    world.run("sh", "-c", f"kill -9 $(pgrep -x sshd | grep -vx {listener})")
    thread.join()
    assert state_of(found[0], "upgrade") == State.INTERRUPTED
    assert report(plan, found[0]).verdict == Verdict.FAILED

    again = site.plan(job)
    names = [step.id.partition("/")[2] for step in again.steps]
    assert names[:2] == ["attach-1", "attach-1-seen"]
    assert "upgrade" not in names
    outcomes = site.run(again)
    assert {outcome.state for outcome in outcomes} == {State.DONE}
    said = report(again, outcomes)
    assert said.verdict == Verdict.DONE
    assert "libc-demo 1.0 -> 1.1" in said.details
    assert world.versions("libc-demo", "demo-app") == {"libc-demo": "hi 1.1", "demo-app": "ii 1.1"}
    assert by_dpkg(world) == by_aptitude(world) == {KERNEL, META, "libc-demo"}
    assert "attach-1" not in [step.id.partition("/")[2] for step in site.plan(UPGRADE).steps]
