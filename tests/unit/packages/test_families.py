"""A family more: what the kinds make of a host whose packages they had never heard of."""

from __future__ import annotations

from dataclasses import replace

from runner.jobs.catalogue import KINDS
from runner.jobs.packages import families
from runner.jobs.packages.debian.family import Debian
from runner.jobs.packages.redhat.family import RedHat
from runner.jobs.packages.report import packages_report
from runner.jobs.packages.updates import UpdatesKind
from runner.jobs.packages.upgrade import UpgradeKind
from runner.model.facts import Facts, Reading
from runner.model.plan import Check
from runner.model.role import Role
from runner.model.run import Outcome, State, Verdict
from runner.model.site import Host
from runner.planning import planner, review
from tests.unit.packages.alpine import SURVEY, Alpine
from tests.unit.packages.test_packages_report import detached
from tests.unit.upkeep_parts import NOW, PROGRAM, SERVER, SITE, UPDATES, UPGRADE, argv, by_name, facts, names

TABLE = {**families.FAMILIES, "apk": "tests.unit.packages.alpine:Alpine"}
HOST = Host(name=SERVER, address="192.0.2.2", packages="apk")
HILL = replace(SITE, hosts=(SITE.hosts[0], HOST))
PLAN = "20261123T081500.000Z"


def waiting(text: str = "busybox x86_64 1.36.0-r0 1.36.1-r5\n") -> Facts:
    """The host with what apk printed."""
    known = facts("nothing")
    server = known.hosts[SERVER]
    readings = {**server.readings, SURVEY: Reading(exit=0, out=text)}
    return replace(known, hosts={**known.hosts, SERVER: replace(server, readings=readings)})


def test_the_table_knows_each_family_by_what_a_host_says() -> None:
    made = {name: families.family(replace(HOST, packages=name)) for name in ("apt", "yum", "dnf", "apk", "")}
    assert isinstance(made["apt"], Debian)
    assert isinstance(made["yum"], RedHat)
    assert made["yum"] is made["dnf"]
    assert made["apk"] is made[""] is None
    assert isinstance(families.family(HOST, TABLE), Alpine)
    assert families.words(TABLE) == '"apt", "yum", "dnf" or "apk"'


def test_the_host_of_a_third_family_is_looked_at_and_its_updates_are_planned() -> None:
    kind = UpdatesKind(TABLE)
    assert [probe.id for probe in kind.probes(HILL, UPDATES)] == [SURVEY, "packages.outdated", "packages.detached"]
    draft = kind.draft(HILL, UPDATES, waiting(), NOW)
    assert names(draft) == ["refresh", "install", "install-seen", "whole", "look"]
    steps = by_name(draft)
    assert argv(steps["refresh"]) == ("apk", "update")
    assert argv(steps["install"]) == (
        PROGRAM,
        "detach",
        f"--plan={PLAN}",
        "--step=updates-server/install",
        "--packages=apk",
        *("--", "apk", "add", "--", "busybox=1.36.1-r5"),
    )
    guard = steps["refresh"].guard
    assert isinstance(guard, Check)
    assert guard.argv[1:] == ("as-planned", "--packages=apk", "--", "busybox=1.36.0-r0=1.36.1-r5")
    assert [finding.text for finding in draft.findings] == ["to install: busybox 1.36.0-r0 -> 1.36.1-r5"]


def test_the_plan_of_a_third_family_holds_together() -> None:
    kinds = {**KINDS, "updates": UpdatesKind(TABLE)}
    site = replace(HILL, jobs=(UPDATES,))
    plan = planner.draft(site, (UPDATES,), waiting(), kinds, {})
    assert [job.name for job in plan.jobs] == [UPDATES.name]
    assert review.check(plan) == ()


def test_what_became_of_it_is_reported_as_for_any_other() -> None:
    draft = UpdatesKind(TABLE).draft(HILL, UPDATES, waiting(), NOW)
    assert draft.planned is not None
    answer = detached(packages={"upgraded": [["busybox", "1.36.0-r0", "1.36.1-r5"]]})
    results = {"install": answer, "look": {"services": []}}
    outcomes = [
        Outcome(step=step.id, job=UPDATES.name, state=State.DONE, exit=0, result=results.get(name, {}), note="")
        for name, step in by_name(draft).items()
    ]
    report = packages_report(draft.planned, outcomes)
    assert report is not None
    assert (report.verdict, report.headline) == (Verdict.DONE, "1 package upgraded")
    assert report.details == ("busybox 1.36.0-r0 -> 1.36.1-r5",)


def test_a_failure_names_what_a_person_runs_on_a_host_of_that_family() -> None:
    draft = UpdatesKind(TABLE).draft(HILL, UPDATES, waiting(), NOW)
    assert draft.planned is not None
    answer = detached(exit=1, packages={"upgraded": [], "unfinished": [["busybox", "broken"]]})
    outcome = Outcome(step="updates-server/install", job=UPDATES.name, state=State.FAILED, exit=1, result=answer)
    report = packages_report(draft.planned, [outcome], TABLE)
    assert report is not None
    assert report.headline.endswith("mend that, then, at the host: apk fix")
    lost = packages_report(draft.planned, [replace(outcome, role=Role.INITRD, result={})], TABLE)
    assert lost is not None
    assert lost.headline.endswith("then, at the host: mkinitfs")


def test_its_kernel_and_its_own_list_decide_about_the_reboot() -> None:
    facts = waiting("linux-lts x86_64 6.6.1-r0 6.6.9-r0\n")
    draft = UpgradeKind(TABLE).draft(HILL, UPGRADE, facts, NOW)
    assert "--is=6.6.9-r0-lts" in argv(by_name(draft)["kernel"])
    assert {"initrd", "entry"} <= set(names(draft))
    due = UpdatesKind(TABLE).draft(HILL, UPDATES, waiting("musl x86_64 1 2\n"), NOW).findings
    assert any(finding.text == "server will need a reboot after this: musl" for finding in due)


def test_nothing_waits_and_nothing_is_installed() -> None:
    draft = UpdatesKind(TABLE).draft(HILL, UPDATES, waiting(""), NOW)
    assert names(draft) == ["whole", "look"]
    assert draft.planned is not None
    assert draft.planned.headline.startswith(f"no update for {SERVER}")


def test_an_upgrade_is_planned_too() -> None:
    kind = UpgradeKind(TABLE)
    draft = kind.draft(HILL, replace(UPGRADE, options=replace(UPGRADE.options, reboot="no")), waiting(), NOW)
    assert names(draft) == ["refresh", "others", "others-seen", "whole", "look"]
    assert argv(by_name(draft)["others"])[-1] == "busybox=1.36.1-r5"


def test_without_its_line_in_the_table_the_host_is_left_alone() -> None:
    draft = UpdatesKind().draft(HILL, UPDATES, waiting(), NOW)
    assert draft.steps == ()
    assert draft.findings[0].do == f'write packages = "apt", "yum" or "dnf" below [hosts.{SERVER}]'
