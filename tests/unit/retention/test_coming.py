"""A backup and a purge in one plan end at `max`: what is being made counts, and where it is not made none goes for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.jobs.catalogue import KINDS
from runner.jobs.retention.retention import decide
from runner.model.facts import Snapshot
from runner.model.options import PruneOptions
from runner.model.plan import Check, Command, Plan
from runner.model.role import Role
from runner.model.site import Job, Retention, Site
from runner.planning import floors, planner, review
from tests.unit import parts

GIB = 1 << 30
SPACE = {"size": 1000 * GIB, "free": 500 * GIB, "inodes": 10**8, "inodes_free": 5 * 10**7}
NEW = Snapshot(name="2026-11-23T081500Z", job="backup-papio", host="papio")


def site(policy: Retention, *, purge_after: tuple[str, ...] = (), backup_after: tuple[str, ...] = ()) -> Site:
    here = parts.site()
    purge = Job(name="purge", kind="prune", host="server", options=PruneOptions(store="papio"), after=purge_after)
    backup = replace(here.jobs[0], after=backup_after)
    stores = (replace(here.stores[0], retention=policy), here.stores[1])
    return replace(here, stores=stores, jobs=(backup, purge))


def sealed(count: int) -> list[dict[str, Any]]:
    days = range(23 - count, 23)
    return [{"name": f"2026-11-{day:02}T081500Z", "host": "papio", "job": "backup-papio"} for day in days]


def planned(here: Site, count: int, jobs: tuple[str, ...] = ("backup-papio", "purge")) -> Plan:
    facts = parts.facts({"server": {"store": {"sealed": sealed(count), "space": SPACE}}})
    plan = planner.draft(here, [here.job(name) for name in jobs], facts, KINDS, {})
    assert review.check(plan) == () and floors.refusals(plan, here, facts) == ()
    return plan


def going(plan: Plan) -> list[tuple[str, tuple[str, object] | None]]:
    """What expires, oldest first, each with the number of snapshots at which it need not."""
    steps = [step for step in plan.steps if step.role == Role.EXPIRE]
    assert all(isinstance(step.action, Command) for step in steps)
    claims = [step.unless for step in steps]
    return [
        (step.subject[8:10], (claim.relation, claim.value) if isinstance(claim, Check) else None)
        for step, claim in zip(steps, claims, strict=True)
    ]


@pytest.mark.parametrize(
    ("there", "goes"),
    [
        (3, []),
        (4, [("19", ("<=", 4))]),
        (5, [("18", None), ("19", ("<=", 4))]),
        (6, [("17", None), ("18", None), ("19", ("<=", 4))]),
    ],
)
@pytest.mark.parametrize("after", [(), ("backup-papio",)])
def test_one_more_goes_unless_the_snapshot_was_not_made(there: int, goes: list[Any], after: tuple[str, ...]) -> None:
    plan = planned(site(Retention(min=2, max=4), purge_after=after), there)
    assert going(plan) == goes
    (purge,) = [job for job in plan.jobs if job.name == "purge"]
    assert "backup-papio" in purge.after, "it looks once the snapshot is there"
    empties = [step for step in plan.steps if step.role == Role.EMPTY]
    assert all(step.unless is None for step in empties) and len(empties) == bool(goes)


def test_a_purge_alone_or_before_the_backup_counts_what_is_there() -> None:
    here = site(Retention(min=2, max=4))
    assert going(planned(here, 4, ("purge",))) == []
    before = site(Retention(min=2, max=4), backup_after=("purge",))
    plan = planned(before, 4, ("purge", "backup-papio"))
    assert going(plan) == []
    assert "backup-papio" not in next(job for job in plan.jobs if job.name == "purge").after


def test_no_snapshot_goes_below_min_for_one_that_may_fail() -> None:
    assert going(planned(site(Retention(min=4, max=4)), 4)) == []


def test_another_snapshot_of_a_full_day_counts_for_nothing() -> None:
    times = ("010000", "020000", "030000")
    today = [Snapshot(name=f"2026-11-23T{time}Z", job="backup-papio", host="papio") for time in times]
    policy = Retention(min=1, max=3, per_day=3)
    assert decide(today, policy, None, parts.NOW, NEW).expire == ()
    assert len(decide(today, replace(policy, per_day=0), None, parts.NOW, NEW).expire) == 1


def of_today(count: int) -> list[Snapshot]:
    return [Snapshot(name=f"2026-11-23T{hour:02}0000Z", job="backup-papio", host="papio") for hour in range(count)]


@pytest.mark.parametrize(
    ("there", "per_day", "goes"),
    [(3, 3, []), (4, 3, ["02"]), (4, 20, ["00"]), (5, 3, ["02", "03"]), (6, 3, ["02", "03", "04"])],
)
def test_backup_and_purge_end_at_max_also_with_the_extra_ones_of_a_day(
    there: int, per_day: int, goes: list[str]
) -> None:
    """Each further time too: what is extra once the new one is there goes for it, where that is made."""
    decision = decide(of_today(there), Retention(min=1, max=4, per_day=per_day), None, parts.NOW, NEW)
    for_coming = [gone for gone in decision.expire if gone.unless]
    assert [gone.snapshot.name[11:13] for gone in decision.expire] == goes
    assert len(for_coming) == bool(goes)
    assert there + 1 - len(decision.expire) == 4
    for gone in for_coming:
        assert gone.unless and (gone.unless.field, gone.unless.relation, gone.unless.value) == ("sealed", "<=", 4)
        assert gone.extra is (per_day == 3)


def test_what_must_stay_beyond_max_already_is_no_reason_to_take_another() -> None:
    pinned = [
        Snapshot(name=f"2026-11-{day}T081500Z", job="backup-papio", pinned_until=parts.later(days=9))
        for day in (18, 19, 20)
    ]
    rest = Snapshot(name="2026-11-22T081500Z", job="backup-papio")
    assert decide((*pinned, rest), Retention(min=1, max=2), None, parts.NOW, NEW).expire == ()
