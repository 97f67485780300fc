"""What may run: plans that hold together, below the ceiling or read by a person."""

from __future__ import annotations

import pytest

from runner import review
from runner.model.errors import PlanRefused
from runner.model.plan import Effect, Ended, Finding, Plan, PlannedJob
from tests.unit import parts

READ, WRITE, EXPIRE, INTERRUPT, DESTROY = Effect


def job(name: str, *after: str, writes: str = "") -> PlannedJob:
    return PlannedJob(name=name, kind="snapshot", after=after, writes=writes)


SOUND = parts.plan(
    parts.step("a/one"), parts.step("a/two", inputs=("a/one", "kept:papio/x/0"), unless=Ended(step="a/one")),
    parts.step("b/one"), jobs=(job("a", "b", "elsewhere", writes="papio/x"), job("b", writes="server/x")),
)  # fmt: skip


def test_a_plan_that_holds_together_has_no_finding() -> None:
    assert review.check(SOUND) == ()
    assert review.check(parts.plan()) == ()


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (parts.plan(parts.step("a/one"), parts.step("a/one")), "two steps are called a/one"),
        (parts.plan(parts.step("a/one"), jobs=(job("b"),)), "a/one belongs to no job of this plan"),
        (parts.plan(parts.step("a/one", inputs=("a/two",)), parts.step("a/two")), "a/one rests on a/two"),
        (parts.plan(parts.step("a/one", unless=Ended(step="a/one"))), "a/one rests on a/one"),
        (parts.plan(parts.step("b/one"), parts.step("a/one", inputs=("b/one",))), "a/one rests on b/one"),
        (parts.plan(parts.step("b/one"), parts.step("a/x", unless=Ended(step="b/one"))), "a/x rests on b/one"),
        (parts.plan(jobs=(job("a", writes="s/x"), job("b", writes="s/y"))), "2 jobs of this plan write store s"),
        (parts.plan(jobs=(job("a"), job("a"))), "two jobs are called a"),
        (parts.plan(jobs=(job("a", "a"),)), "a wait for each other"),
        (parts.plan(jobs=(job("a", "b"), job("b", "c"), job("c", "a"), job("d", "a"))), "a, b, c, d wait for each other"),
    ],
)  # fmt: skip
def test_a_plan_that_does_not_hold_together_is_refused(plan: Plan, text: str) -> None:
    found = review.check(plan)
    assert [one.severity for one in found] == ["refusal"]
    assert found[0].text.startswith(text)


@pytest.mark.parametrize(
    ("effect", "ceiling", "reviewed", "confirmed", "runs"),
    [
        (READ, READ, False, False, True),
        (WRITE, READ, False, False, False),
        (WRITE, READ, False, True, False),
        (EXPIRE, EXPIRE, False, False, True),
        (EXPIRE, WRITE, False, True, False),
        (INTERRUPT, EXPIRE, False, False, False),
        (INTERRUPT, EXPIRE, False, True, True),
        (INTERRUPT, INTERRUPT, False, False, True),
        (DESTROY, EXPIRE, False, True, False),
        (DESTROY, INTERRUPT, False, True, False),
        (DESTROY, DESTROY, False, True, False),
        (DESTROY, EXPIRE, True, False, True),
        (INTERRUPT, READ, True, False, True),
    ],
)
def test_the_ceiling_holds_unless_a_person_has_read_the_plan(
    effect: Effect, ceiling: Effect, reviewed: bool, confirmed: bool, runs: bool
) -> None:
    plan = parts.plan(parts.step("a/one"), parts.step("a/two", effect=effect))
    if runs:
        review.allow(plan, ceiling=ceiling, reviewed=reviewed, confirmed=confirmed)
        return
    with pytest.raises(PlanRefused, match=f"a/two would {effect.name.lower()}"):
        review.allow(plan, ceiling=ceiling, reviewed=reviewed, confirmed=confirmed)


@pytest.mark.parametrize("reviewed", [True, False])
def test_a_refusal_stops_any_plan_and_says_what_to_do(reviewed: bool) -> None:
    plan = parts.plan(
        findings=(
            Finding(severity="note", text="fine", source="a"),
            Finding(severity="refusal", text="the wrong disk", source="hooks.fsck", do="look at it"),
        )
    )
    with pytest.raises(PlanRefused, match="refused by hooks.fsck: the wrong disk") as refused:
        review.allow(plan, ceiling=DESTROY, reviewed=reviewed, confirmed=True)
    assert refused.value.do == "look at it"
