"""Snapshots set aside, brought back and dropped, and interrupted copies dropped: plans that review lets through, or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from runner.jobs.retention import aside
from runner.jobs.retention.report import aside_report, drop_report
from runner.model.kind import Draft
from runner.model.plan import Command, Effect, Plan
from runner.model.run import Around, Outcome, State, Verdict
from runner.model.site import Retention, Site
from runner.planning import floors, planner, review
from tests.unit import parts

PAST, AHEAD, LATER = "2026-11-22T081500Z", "2027-11-23T081500Z", "2027-11-24T081500Z"
ON = ("--mount=/srv/backups/papio", "--uuid=11111111-2222-3333-4444-555555555555")
Drafted = Callable[[Site, aside.AsideRequest, datetime], Draft]


def planned(draft: Drafted, *names: str, least: int = 1, **store: Any) -> tuple[Plan, list[str]]:
    """The plan, and why review refuses it."""
    site = parts.site()
    first = replace(site.stores[0], retention=Retention(min=least, max=400))
    site = replace(site, stores=(first, *site.stores[1:]))
    sealed = [{"name": PAST}, {"name": AHEAD, "added_room": 3 << 30}, {"name": LATER, "proven": ["files"]}]
    facts = parts.facts({"server": {"store": {"sealed": sealed, **store}}})
    asked = aside.AsideRequest(store=first, facts=facts.hosts["server"].stores["papio"], names=names)
    plan = planner.assemble(site, (draft(site, asked, parts.NOW),), facts, {})
    found = (*review.check(plan), *review.names(plan, site), *floors.refusals(plan, site, facts))
    return plan, [finding.text for finding in found]


def calls(plan: Plan) -> list[tuple[str, ...]]:
    return [step.action.argv for step in plan.steps if isinstance(step.action, Command)]


def test_the_newest_goes_first_so_that_what_lives_on_is_inherited_by_one_that_stays() -> None:
    plan, faults = planned(aside.set_aside, AHEAD, LATER)
    assert faults == []
    assert [argv[1:4] for argv in calls(plan)] == [
        ("set-aside", "/srv/backups/papio", LATER), ("set-aside", "/srv/backups/papio", AHEAD),
    ]  # fmt: skip
    assert calls(plan)[0][4:] == ("--plan=20261123T081500.000Z", "--min=1", *ON)
    assert plan.effect == Effect.EXPIRE
    assert plan.steps[1].why == (
        f"{AHEAD} lies 365 days in the future and counts no more; it is kept aside, whole, with the 3.0 GiB that it brought"
    )
    assert [finding.text for finding in plan.findings] == [
        f"the last drill that succeeded was of {LATER}: it proves nothing about those that stay",
        "nothing is removed",
    ]
    review.allow(plan, ceiling=Effect.EXPIRE, reviewed=False, confirmed=False)


@pytest.mark.parametrize(
    ("about", "names", "least", "faults"),
    [
        ("from the future, and then there are too few", (AHEAD, LATER), 30, []),
        ("enough are left", (PAST,), 2, []),
        (
            "one of the past, and too few are left", (PAST,), 3,
            [f"without {PAST} only 2 snapshots without exceptions would count in store papio, and min is 3"],
        ),
        (
            "it hides behind one of the future", (PAST, LATER), 2,
            [f"without {PAST} only 1 snapshot without exceptions would count in store papio, and min is 2"],
        ),
    ],
)  # fmt: skip
def test_only_one_from_the_future_may_leave_fewer_than_min(
    about: str, names: tuple[str, ...], least: int, faults: list[str]
) -> None:
    plan, found = planned(aside.set_aside, *names, least=least)
    assert found == faults, about
    low = [finding.text for finding in plan.findings if "min is" in finding.text]
    assert bool(low) == (least > 3 - len(names)), about


def test_one_of_which_only_the_record_is_left_is_no_loss_for_the_floor() -> None:
    plan, faults = planned(aside.set_aside, "2026-11-01T081500Z", least=30, lost=["2026-11-01T081500Z"])
    assert (faults, plan.findings) == ([], ())
    assert plan.steps[0].why == "2026-11-01T081500Z: only its record is left, which is kept aside"


def test_what_lies_aside_comes_back_by_a_write_and_goes_only_by_a_reviewed_plan() -> None:
    lies = {"sealed": [{"name": PAST}], "aside": [{"name": AHEAD, "room": 1 << 20}]}
    plan, faults = planned(aside.bring_back, AHEAD, **lies)
    assert (faults, plan.effect, calls(plan)[0][1:4]) == ([], Effect.WRITE, ("bring-back", "/srv/backups/papio", AHEAD))
    plan, faults = planned(aside.drop_aside, AHEAD, **lies)
    assert (faults, plan.effect) == ([], Effect.DESTROY)
    assert [argv[1] if argv[0] != "ionice" else argv[5] for argv in calls(plan)] == ["drop-aside", "reap"]
    with pytest.raises(review.PlanRefused):
        review.allow(plan, ceiling=Effect.DESTROY, reviewed=False, confirmed=True)


def test_interrupted_copies_go_to_the_trash_and_out_of_it() -> None:
    plan, faults = planned(aside.drop_partials, PAST, partials=[{"name": PAST}])
    assert (faults, plan.effect) == ([], Effect.EXPIRE)
    assert calls(plan)[0][1:] == (
        "drop-partials", "/srv/backups/papio", "--plan=20261123T081500.000Z", *ON, "--", PAST,
    )  # fmt: skip
    assert "reap" in calls(plan)[1]
    assert [job.locks[0].resource for job in plan.jobs] == ["store papio"]


ANSWER = {"aside": AHEAD, "sealed": 1, "record_only": False, "inherited": 0, "unproven": ["files"]}


def test_the_plan_says_how_it_comes_back_and_the_end_that_the_drill_is_to_be_run_again() -> None:
    plan, _ = planned(aside.set_aside, AHEAD)
    (back,) = [finding for finding in plan.findings if finding.command]
    assert (back.do, back.command) == (
        "to let it count again, once its time has come:",
        f"runner snapshots papio --bring-back {AHEAD}",
    )
    plan_of_past, _ = planned(aside.set_aside, PAST)
    assert [finding.do for finding in plan_of_past.findings if finding.command] == ["to let it count again:"]
    (step,) = plan.steps
    outcome = Outcome(step=step.id, job=step.job, state=State.DONE, role=step.role, subject=step.subject, result=ANSWER)
    report = aside_report(plan.jobs[0], (outcome,), Around())
    assert (report.verdict, report.headline) == (Verdict.DONE, f"{AHEAD} counts no more, and 1 is left")
    assert report.details == (f"the last drill that succeeded (files) was of {AHEAD}: run the drill again",)
    several = [replace(outcome, subject=f"2027-11-{day}T081500Z") for day in range(10, 17)]
    many = aside_report(plan.jobs[0], several, Around())
    assert "2027-11-12T081500Z and 4 more count no more" in many.headline
    lost = replace(outcome, result={**ANSWER, "record_only": True, "unproven": []})
    assert aside_report(plan.jobs[0], (lost,), Around()).details == (), "nothing of it could come back"
    failed = replace(outcome, state=State.FAILED, result={}, note="it is pinned")
    assert aside_report(plan.jobs[0], (failed,), Around()).headline == "aside-1 failed: it is pinned"


@pytest.mark.parametrize(
    ("sealed", "text"),
    [(1, "there is 1 snapshot now"), (7, "there are 7 snapshots now"), (None, "how many there are now is not known")],
)
def test_what_is_brought_back_is_told_as_done(sealed: int | None, text: str) -> None:
    plan, _ = planned(aside.bring_back, AHEAD, sealed=[{"name": PAST}], aside=[{"name": AHEAD}])
    (step,) = plan.steps
    result = {} if sealed is None else {"back": AHEAD, "sealed": sealed}
    outcome = Outcome(step=step.id, job=step.job, state=State.DONE, role=step.role, subject=step.subject, result=result)
    report = aside_report(plan.jobs[0], (outcome,), Around())
    assert (report.headline, report.details) == (f"{AHEAD} counts again: {text}", ())


@pytest.mark.parametrize(
    ("draft", "names", "headline"),
    [
        (aside.drop_aside, (AHEAD,), f"remove {AHEAD} that lies aside in store papio for good"),
        (aside.drop_aside, (AHEAD, LATER), f"remove 2 snapshots ({AHEAD} to {LATER}) that lie aside in store papio for good"),
        (aside.bring_back, (AHEAD, LATER), f"let 2 snapshots ({AHEAD} to {LATER}) count again in store papio"),
    ],
)  # fmt: skip
def test_one_and_many_are_said_as_such(draft: Drafted, names: tuple[str, ...], headline: str) -> None:
    plan, _ = planned(draft, *names, sealed=[{"name": PAST}], aside=[{"name": AHEAD}, {"name": LATER}])
    assert plan.jobs[0].headline == headline


@pytest.mark.parametrize(
    ("names", "headline"),
    [((AHEAD,), f"{AHEAD} is removed for good"), ((AHEAD, LATER), f"{AHEAD}, {LATER} are removed for good")],
)
def test_what_was_dropped_is_told_as_done(names: tuple[str, ...], headline: str) -> None:
    plan, _ = planned(aside.drop_aside, *names, sealed=[{"name": PAST}], aside=[{"name": AHEAD}, {"name": LATER}])
    done = Outcome(step="s", job=plan.jobs[0].name, state=State.DONE)
    outcomes = [replace(done, role=step.role, subject=step.subject) for step in plan.steps]
    assert drop_report(plan.jobs[0], outcomes, Around()).headline == headline


@pytest.mark.parametrize(
    ("answer", "headline"),
    [
        ({"dropped": [AHEAD], "left": []}, "1 interrupted snapshot of store papio was dropped"),
        ({"dropped": [AHEAD, LATER], "left": []}, "2 interrupted snapshots of store papio were dropped"),
        ({"dropped": [], "left": []}, "nothing was dropped: store papio had none of them any more"),
    ],
)
def test_what_was_dropped_of_interrupted_ones_is_counted_by_who_dropped_it(
    answer: dict[str, Any], headline: str
) -> None:
    plan, _ = planned(aside.drop_partials, AHEAD, LATER, partials=[{"name": AHEAD}, {"name": LATER}])
    done = Outcome(step="s", job=plan.jobs[0].name, state=State.DONE)
    outcomes = [replace(done, role=step.role, result=answer) for step in plan.steps]
    report = drop_report(plan.jobs[0], outcomes, Around())
    assert (report.headline, report.verdict == Verdict.DONE) == (headline, bool(answer["dropped"]))


def test_what_is_left_of_interrupted_ones_or_cannot_be_told_is_said() -> None:
    plan, _ = planned(aside.drop_partials, AHEAD, LATER, partials=[{"name": AHEAD}, {"name": LATER}])
    drop, empty = (
        Outcome(step=step.id, job=step.job, state=State.DONE, role=step.role, result={}) for step in plan.steps
    )
    left = replace(drop, result={"dropped": [AHEAD], "left": [PAST]})
    report = drop_report(plan.jobs[0], (left, empty), Around())
    assert report.details == (f"left there, since the plan did not have it: {PAST}",)
    unread = drop_report(plan.jobs[0], (drop, empty), Around())
    assert unread.verdict == Verdict.ATTENTION
    assert unread.headline.startswith("what drop did is not known: the answer cannot be read; ")


def test_what_went_before_the_job_stopped_is_told() -> None:
    plan, _ = planned(aside.drop_aside, AHEAD, LATER, sealed=[{"name": PAST}], aside=[{"name": AHEAD}, {"name": LATER}])
    first, second, _ = (
        Outcome(step=step.id, job=step.job, state=State.DONE, role=step.role, subject=step.subject)
        for step in plan.steps
    )
    report = drop_report(plan.jobs[0], (first, replace(second, state=State.FAILED, note="no disk")), Around())
    assert (report.verdict, report.headline) == (Verdict.FAILED, "drop-2 failed: no disk")
    assert report.details == (f"{AHEAD} lies in the trash, which the next run empties",)
    none = drop_report(plan.jobs[0], (replace(first, state=State.FAILED, note="no disk"),), Around())
    assert none.details == ()
