"""Pins: one snapshot kept whatever the retention says, or let go again, as a plan of one step."""

from __future__ import annotations

from datetime import UTC, datetime

from runner.jobs.retention import pin
from runner.model.kind import Draft
from runner.model.plan import Command, Effect
from runner.planning import floors, planner, review
from tests.unit import parts

NAME = "2026-11-22T081500Z"
UNTIL = datetime(2027, 2, 1, 4, 59, tzinfo=UTC)


def draft(until: datetime | None, why: str = "") -> Draft:
    here = parts.site()
    stored = parts.facts().hosts["server"].stores["papio"]
    return pin.draft(here, pin.PinRequest(store=here.stores[0], name=NAME, until=until, why=why), stored, parts.NOW)


def argv(made: Draft) -> tuple[str, ...]:
    (step,) = made.steps
    assert step.effect == Effect.WRITE
    assert isinstance(step.action, Command)
    return step.action.argv


def test_a_pin_says_which_until_when_and_why_and_is_written_under_the_lock() -> None:
    made = draft(UNTIL, "--why the audit; 'quoted'\nsecond line")
    assert argv(made) == (
        "/usr/local/sbin/runner-agent", "pin", "/srv/backups/papio", NAME, "--plan=20261123T081500.000Z",
        "--until=2027-02-01T04:59:00+00:00", "--why=--why the audit; 'quoted'\nsecond line",
        "--mount=/srv/backups/papio", "--uuid=11111111-2222-3333-4444-555555555555",
    )  # fmt: skip
    assert made.planned
    assert [(lock.resource, lock.host) for lock in made.planned.locks] == [("store papio", "server")]


def test_the_day_is_told_as_the_site_has_it_and_not_as_utc_does() -> None:
    assert draft(UNTIL, "x").steps[0].why == f"keep {NAME} until 2027-01-31: x"


def test_letting_go_names_only_the_snapshot() -> None:
    made = draft(None)
    assert argv(made)[1:4] == ("unpin", "/srv/backups/papio", NAME)
    assert made.planned
    assert made.planned.headline == f"{NAME} is kept no longer than the retention says"


def test_the_plan_of_a_pin_passes_review_below_every_ceiling_that_lets_anything_be_written() -> None:
    here, facts = parts.site(), parts.facts()
    plan = planner.assemble(here, (draft(UNTIL, "x"),), facts, {})
    assert (*review.check(plan), *floors.refusals(plan, here, facts)) == ()
    review.allow(plan, ceiling=Effect.WRITE, reviewed=False, confirmed=False)
