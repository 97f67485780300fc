"""Which jobs deserve another pass: those whose transfer was cut off."""

from __future__ import annotations

from typing import Any

import pytest

from runner.model.plan import Check, PlannedJob
from runner.model.run import Outcome, Pass, State
from runner.planning.passes import again, waits
from tests.unit import parts

PLAN = parts.plan(
    parts.step("a/send-1", keep_output_as="papio/x/0"), parts.step("a/seal"),
    parts.step("b/send-1", keep_output_as="server/x/0"), parts.step("b/seal"),
)  # fmt: skip


NAMES = {"a1": "a/send-1", "a2": "a/seal", "b1": "b/send-1", "b2": "b/seal"}


def ended(**states: State) -> Pass:
    outcomes = (
        Outcome(step=name, **parts.role(name), job=name[0], state=states.get(key, State.DONE))
        for key, name in NAMES.items()
    )
    return Pass(plan=PLAN, outcomes=tuple(outcomes))


def failed(step: str, **changes: Any) -> Pass:
    return Pass(plan=PLAN, outcomes=(Outcome(step=step, job=step[0], state=State.FAILED, **changes),))


@pytest.mark.parametrize(
    ("states", "jobs"),
    [
        ({}, ()),
        ({"a1": State.INTERRUPTED, "a2": State.NOT_REACHED}, ("a",)),
        ({"b1": State.INTERRUPTED, "a1": State.INTERRUPTED}, ("a", "b")),
        ({"a1": State.FAILED}, ()),
        ({"a1": State.STALE}, ()),
        ({"a1": State.BUSY}, ()),
        ({"a2": State.INTERRUPTED}, ()),
        ({"a2": State.FAILED, "b1": State.INTERRUPTED}, ("b",)),
    ],
)
def test_only_an_interrupted_transfer_is_taken_up_again(states: dict[str, State], jobs: tuple[str, ...]) -> None:
    assert again(ended(**states)) == jobs


@pytest.mark.parametrize(
    ("found", "jobs"),
    [
        (failed("a/send-1", exit=11), ("a",)),
        (failed("a/send-1", exit=78), ("a",)),
        (failed("a/send-1", exit=1), ()),
        (failed("a/seal", exit=11), ()),
        (failed("b/seal", exit=1, result={"again": True}), ("b",)),
        (failed("b/seal", exit=1, result={"again": "true"}), ()),
        (failed("b/seal", exit=1, result={"error": "No space left on device (28)"}, log="No space left"), ()),
    ],
)
def test_a_full_disk_or_a_seal_that_says_so_deserves_another_plan_and_words_do_not(
    found: Pass, jobs: tuple[str, ...]
) -> None:
    assert again(found) == jobs


def test_what_another_plan_does_without_is_stale_and_deserves_it() -> None:
    for answer, jobs in (({"stale": True, "again": True}, ("a",)), ({"stale": True}, ())):
        outcome = Outcome(step="a/clone", job="a", state=State.STALE, exit=77, result=answer)
        done = Pass(plan=PLAN, outcomes=(outcome,))
        assert again(done) == jobs and not waits(done)


def test_nobody_waits_for_room_though_the_transfer_over_a_connection_looks_cut_off() -> None:
    plan = parts.plan(parts.step("a/send-1", keep_output_as="papio/x/0"), parts.step("a/room"), parts.step("a/seal"))
    cut = Outcome(step="a/send-1", job="a", state=State.INTERRUPTED, exit=12)
    full = Outcome(step="a/room", job="a", state=State.FAILED, exit=1, result={"error": "no space left", "again": True})
    for outcomes, patient in (((cut,), True), ((cut, full), False)):
        done = Pass(plan=plan, outcomes=outcomes)
        assert again(done) == ("a",)
        assert waits(done) == patient


@pytest.mark.parametrize(
    ("kind", "replans", "state", "before", "jobs"),
    [
        ("updates", True, State.STALE, {}, ("a",)),
        ("upgrade", True, State.STALE, {}, ("a",)),
        ("updates", True, State.FAILED, {}, ()),
        ("upgrade", False, State.STALE, {}, ()),
        ("upgrade", True, State.STALE, {"detached": True}, ()),
    ],
)
def test_packages_that_are_not_as_planned_are_planned_again_unless_some_were_changed_already(
    kind: str, replans: bool, state: State, before: dict[str, Any], jobs: tuple[str, ...]
) -> None:
    guard = Check(host="server", argv=("x",), field="f", relation="==", value=True, why="w", replans=replans)
    steps = (parts.step("a/others"), parts.step("a/upgrade", guard=guard))
    plan = parts.plan(*steps, jobs=(PlannedJob(name="a", kind=kind),))
    outcomes = (
        Outcome(step="a/others", **parts.role("a/others"), job="a", state=State.DONE, result=before),
        Outcome(step="a/upgrade", **parts.role("a/upgrade"), job="a", state=state),
    )
    assert again(Pass(plan=plan, outcomes=outcomes)) == jobs


def test_a_detached_installation_that_was_cut_off_is_taken_up_again() -> None:
    for detached in (True, False):
        plan = parts.plan(parts.step("a/install", detached=detached))
        cut = Outcome(step="a/install", job="a", state=State.INTERRUPTED)
        assert again(Pass(plan=plan, outcomes=(cut,))) == (("a",) if detached else ())


@pytest.mark.parametrize(
    ("replans", "state", "jobs"), [(True, State.DONE, ("a",)), (True, State.FAILED, ()), (False, State.DONE, ())]
)
def test_what_had_to_be_known_first_is_planned_with_once_it_is(
    replans: bool, state: State, jobs: tuple[str, ...]
) -> None:
    plan = parts.plan(parts.step("a/measure-first", replans=replans))
    done = Pass(plan=plan, outcomes=(Outcome(step="a/measure-first", job="a", state=state),))
    assert again(done) == jobs


def test_only_what_was_cut_off_from_outside_is_waited_for() -> None:
    assert waits(ended(a1=State.INTERRUPTED))
    assert not waits(failed("a/send-1", exit=11))
    assert not waits(failed("b/seal", exit=1, result={"again": True}))
