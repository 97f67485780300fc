"""Facts in, plan out: golden cases in cases/plan (a new case is a new file), and what holds for every plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import planner, review
from runner.catalogue import KINDS
from runner.model.errors import HookFailed
from runner.model.facts import Facts
from runner.model.kind import Draft
from runner.model.plan import Command, Forecast, Insertion, Plan, PlannedJob, PutFile, Step
from runner.model.site import Site
from tests.unit import parts

GOLDEN = parts.cases("plan")


def planned(site: Site, facts: Facts, *names: str) -> Plan:
    return planner.draft(site, [site.job(name) for name in names], facts, KINDS, {})


def of_case(case: dict[str, Any]) -> tuple[Site, Facts]:
    live = case.get("live", True)
    site = parts.site(live=live, exclude=tuple(case.get("exclude", ())))
    if case.get("here"):
        disk, store = site.disks[0], site.stores[0]
        site = replace(
            site, disks=(replace(disk, host="papio"),), stores=(replace(store, host="papio"),), jobs=site.jobs[:1]
        )
    changes = case.get("facts", {})
    if count := case.get("partials"):
        names = [f"2026-11-23T{number:02}0000Z"[:17] + "Z" for number in range(count)]
        names = [f"2026-11-23T00{number:02}00Z" for number in range(count)]
        changes = {"server": {"store": {"partials": [{"name": one, "filesystems": ["/"]} for one in names]}}}
    facts = parts.facts(changes, live=live)
    if case.get("here"):
        papio, server = facts.hosts["papio"], facts.hosts["server"]
        facts = replace(facts, hosts={"papio": replace(papio, stores=server.stores)})
    return site, facts


@pytest.mark.parametrize("name", GOLDEN)
def test_the_plan_is_the_golden_one(name: str) -> None:
    case = GOLDEN[name]
    site, facts = of_case(case)
    plan = planned(site, facts, *case["jobs"])
    text = parts.told(plan)
    if not case.get("commands", True):
        text = "".join(line + "\n" for line in text.splitlines() if not line.startswith("  "))
    assert text == case.get("plan", "").lstrip("\n"), f"the plan is now:\n{text}"
