"""The floor of a store, counted again when a plan is reviewed: whoever decided what expires may be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from runner.model.plan import Effect, Finding, Plan
from runner.model.site import Retention
from runner.planning import floors
from tests.unit import parts
from tests.unit.retention.test_prune import POLICY, facts, sealed, site

EXPIRE = ("/usr/local/sbin/runner-agent", "expire", "/srv/backups/papio")
ASIDE = (EXPIRE[0], "set-aside")
ON = ("--plan=1", "--min=2")


def expiring(*names: str, argv: tuple[str, ...] = EXPIRE, on: tuple[str, ...] = ON, host: str = "server") -> Plan:
    steps = (
        parts.step(f"x/{number}", *argv, name, *on, host=host, effect=Effect.EXPIRE)
        for number, name in enumerate(names)
    )
    return parts.plan(*steps)


def recycling(*names: str, on: tuple[str, ...] = ON) -> Plan:
    basis = f"--basis={D22}=/"
    clone = (EXPIRE[0], "clone", EXPIRE[2], "2026-11-23T081500Z", basis)
    steps = (
        parts.step(f"x/{number}", *clone, f"--recycle={name}", *on, host="server", effect=Effect.EXPIRE)
        for number, name in enumerate(names)
    )
    return parts.plan(*steps)


D18, D19, D20, D21, D22 = (f"2026-11-{day}T081500Z" for day in range(18, 23))
READ = {"d21": {"being_read": True}}
PROVEN = {"d20": {"proven": ["files"]}}
DAILY = Retention(min=3, max=4, per_day=2)
SAME_DAY = {f"d{day}": {"sealed": "2026-11-22T09:00:00Z"} for day in (19, 20, 21, 22)}
PER_DAY = ("--plan=1", "--min=3", "--per-day=2")


@pytest.mark.parametrize(
    ("about", "plan", "policy", "found", "texts"),
    [
        ("down to min", expiring(D18, D19, D20), POLICY, {}, []),
        (
            "one below min", expiring(D18, D19, D20, D21), POLICY, {},
            ["this plan would leave 1 snapshot without exceptions in store papio, and min is 2"],
        ),
        ("the same one twice counts once", expiring(D18, D18, D19), POLICY, {}, []),
        ("one of which a new one is made", recycling(D18), POLICY, {}, []),
        (
            "one below min for new ones that may never be made", recycling(D18, D19, D20, D21), POLICY, {},
            ["this plan would leave 1 snapshot without exceptions in store papio, and min is 2"],
        ),
        ("the newest for a new one", recycling(D22), POLICY, {}, [f"x/0 expires {D22}, which is the newest"]),
        (
            "a lower floor for a new one", recycling(D18, on=("--plan=1", "--min=1")), POLICY, {},
            ["x/0 is given another minimum than min = 2"],
        ),
        ("the newest", expiring(D22), POLICY, {}, [f"x/0 expires {D22}, which is the newest"]),
        ("one that is read", expiring(D21), POLICY, READ, [f"x/0 expires {D21}, which is being read"]),
        ("one that was proven", expiring(D20), POLICY, PROVEN, [f"x/0 expires {D20}, which is the last one that a drill restored"]),
        ("another program's expire", expiring(D22, argv=("logger", *EXPIRE[1:])), POLICY, {}, []),
        (
            "one that is not there", expiring("2020-01-01T000000Z"), POLICY, {},
            ["x/0 expires 2020-01-01T000000Z, which is no sealed snapshot"],
        ),
        (
            "a lower floor", expiring(D18, on=("--plan=1", "--min=1")), POLICY, {},
            ["x/0 is given another minimum than min = 2"],
        ),
        ("as many of a day count as may", expiring(D20, on=PER_DAY), DAILY, SAME_DAY, []),
        (
            "and no more, whatever their names", expiring(D18, on=PER_DAY), DAILY, SAME_DAY,
            ["this plan would leave 2 snapshots without exceptions in store papio, and min is 3"],
        ),
        ("another job counts by itself", expiring(D18, on=PER_DAY), DAILY, SAME_DAY | {"d20": {"job": "other"}}, []),
        ("a plan of a runner that said none", expiring(D18, on=PER_DAY[:2]), DAILY, {}, []),
        (
            "another number a day", expiring(D18, on=(*PER_DAY[:2], "--per-day=20")), DAILY, {},
            ["x/0 is given another number a day than per_day = 2"],
        ),
        (
            "no retention", expiring(D18), None, {},
            [f"x/0 expires {D18}, and store papio has no retention"],
        ),
        (
            "another folder", expiring(D18, argv=(*EXPIRE[:2], "/srv/other")), POLICY, {},
            [f"x/0 expires {D18} from /srv/other, which is no store that was read"],
        ),
        (
            "another host", expiring(D18, host="papio"), POLICY, {},
            [f"x/0 expires {D18} from /srv/backups/papio, which is no store that was read"],
        ),
        ("set aside where it was read", expiring(D18, argv=(*ASIDE, EXPIRE[2])), POLICY, {}, []),
        (
            "set aside in another folder", expiring(D18, argv=(*ASIDE, "/srv/other")), POLICY, {},
            [f"x/0 sets {D18} of /srv/other aside, which is no store that was read"],
        ),
        (
            "set aside on another host", expiring(D18, argv=(*ASIDE, EXPIRE[2]), host="papio"), POLICY, {},
            [f"x/0 sets {D18} of /srv/backups/papio aside, which is no store that was read"],
        ),
        (
            "behind another program", expiring(D22, argv=("nice", *EXPIRE)), POLICY, {},
            [f"x/0 expires {D22}, which is the newest"],
        ),
    ],
)  # fmt: skip
def test_review_counts_again_what_a_plan_would_leave(
    about: str, plan: Plan, policy: Retention | None, found: dict[str, Any], texts: list[str]
) -> None:
    refusals = floors.refusals(plan, site(policy), facts(sealed(5, **found)))
    assert [one.text for one in refusals] == texts, about
    assert {one.severity for one in refusals} <= {"refusal"}


def test_those_with_exceptions_or_without_a_record_are_not_what_is_left() -> None:
    known = facts([
        {"name": "2025-01-01T000000Z", "recorded": False}, *sealed(5, d20={"exceptions": 1}, d21={"exceptions": 9})
    ])  # fmt: skip
    assert floors.refusals(expiring(D18), site(), known) == ()
    (finding,) = floors.refusals(expiring(D18, D19), site(), known)
    assert finding == Finding(
        severity="refusal", source="review",
        text="this plan would leave 1 snapshot without exceptions in store papio, and min is 2",
    )  # fmt: skip


def test_the_last_one_that_a_drill_restored_does_not_go_whatever_its_own_facts_say() -> None:
    known = facts(sealed(5), proven={"files": {"snapshot": D19, "at": "2026-11-20T08:15:00Z"}})
    (finding,) = floors.refusals(expiring(D19), site(), known)
    assert finding.text == f"x/0 expires {D19}, which is the last one that a drill restored"


def test_a_host_that_could_not_be_read_has_no_store_to_expire_from() -> None:
    (finding,) = floors.refusals(expiring(D18), site(), parts.facts({"server": {"error": "no answer", "stores": {}}}))
    assert "no store that was read" in finding.text
