"""A dump for an instant: what was dumped for it is not dumped again, and what is left is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runner.jobs.catalogue import KINDS
from runner.model.plan import Command, Plan
from runner.planning import planner
from tests.unit import parts
from tests.unit.database.test_dump import JOB, dump, facts, server

INSTANT = parts.later(minutes=-15)
DUE = replace(JOB, instant=INSTANT)


def made(**changes: Any) -> list[dict[str, Any]]:
    """A dump of another day, and one that was made for the instant (or what `changes` say)."""
    return [dump(1), dump(0.01, **{"job": JOB.name, "instant": INSTANT.isoformat(), **changes})]


def planned(kept: dict[str, Any], *, roles: bool = True) -> Plan:
    times = [row["time"] for rows in kept.values() for row in rows] if roles else []
    here = parts.site(jobs=(DUE,))
    return planner.draft(here, (DUE,), facts(server("a", "b"), kept, globals=times), KINDS, {})


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    (action,) = [step.action for step in plan.steps if step.id == f"{JOB.name}/{name}"]
    assert isinstance(action, Command)
    return action.argv


def steps(plan: Plan) -> list[str]:
    return [step.id.partition("/")[2] for step in plan.steps]


def test_the_dumps_of_an_instant_carry_it_and_are_looked_for_first() -> None:
    plan = planned({"a": [dump(1)]})
    assert steps(plan)[:5] == ["instant", "answers", "globals", "dump-a", "dump-b"]
    mark = {f"--job={JOB.name}", f"--instant={INSTANT.isoformat()}"}
    assert mark <= set(argv(plan, "dump-a")) and mark <= set(argv(plan, "instant"))
    assert argv(plan, "instant")[1:3] == ("not-dumped", JOB.options.to) and argv(plan, "instant")[-2:] == ("a", "b")
    assert plan.jobs[0].instant == INSTANT


def test_where_every_database_and_the_roles_are_dumped_nothing_is_left_to_do() -> None:
    plan = planned({"a": made(), "b": made()})
    (skip,) = plan.skips
    assert plan.jobs == () and skip.done == parts.later(days=-0.01)
    assert skip.reason == "already done for 2026-11-23 03:00 EST: 2 databases and the roles are dumped"


def test_where_some_are_only_the_others_are_dumped_and_a_new_database_is_no_news() -> None:
    plan = planned({"a": made(), "b": [dump(1)]})
    assert [name for name in steps(plan) if name.startswith("dump-")] == ["dump-b"]
    assert argv(plan, "all")[-3:] == ("--require", "--", "b")
    assert "1 database dumped for the same time before" in plan.findings[-1].text


def test_roles_that_are_missing_are_dumped_alone() -> None:
    plan = planned({"a": made(), "b": made()}, roles=False)
    assert steps(plan) == ["answers", "globals", "all"]


def test_a_dump_for_another_time_of_another_job_or_by_hand_is_not_this_one() -> None:
    others: tuple[dict[str, Any], ...] = ({"instant": parts.NOW.isoformat()}, {"job": "other"}, {"instant": None})
    for other in others:
        assert {"dump-a", "dump-b"} <= set(steps(planned({"a": made(**other), "b": made(**other)})))
