"""Golden plans of a store's life, in cases/life: whole plans, every word of which decides something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from runner.jobs.catalogue import KINDS
from runner.model.options import AuditOptions, CheckOptions, PruneOptions
from runner.model.plan import Plan
from runner.model.site import Job, Retention, Site
from runner.planning import floors, planner, review
from tests.unit import parts

GOLDEN = parts.cases("life")
JOBS = {
    "purge": PruneOptions(store="papio"),
    "check": CheckOptions(store="papio"),
    "audit": AuditOptions(store="papio"),
}


def of_case(case: dict[str, Any]) -> tuple[Site, Plan]:
    """The site with its jobs and retention, and the plan of the case; snapshots are named by their day."""
    here = parts.site()
    kinds = {"purge": "prune"}
    jobs = [Job(name=name, kind=kinds.get(name, name), host="server", options=one) for name, one in JOBS.items()]
    kept = msgspec.convert(case["retention"], Retention)
    here = replace(here, jobs=(*here.jobs, *jobs), stores=(replace(here.stores[0], retention=kept), here.stores[1]))
    sealed = [
        {
            "name": f"2026-11-{one.pop('day'):02}T081500Z",
            "host": "papio",
            "filesystems": case.get("mounts", ["/"]),
            **one,
        }
        for one in map(dict, case["sealed"])
    ]
    facts = parts.facts({"server": {"store": {"sealed": sealed, **case.get("store", {})}}})
    plan = planner.draft(here, [here.job(name) for name in case["jobs"]], facts, KINDS, {})
    assert (*review.check(plan), *floors.refusals(plan, here, facts)) == ()
    review.allow(plan, ceiling=here.unattended, reviewed=False, confirmed=False)
    return here, plan


@pytest.mark.parametrize("name", GOLDEN)
def test_the_plan_is_the_golden_one(name: str) -> None:
    case = GOLDEN[name]
    _, plan = of_case(case)
    text = parts.told(plan)
    if skipped := case.get("until"):
        text = text.partition(skipped)[0]
    assert text == case.get("plan", "").lstrip("\n"), f"the plan is now:\n{text}"
