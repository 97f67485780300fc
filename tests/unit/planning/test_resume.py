"""What is left of a plan after it rebooted the machine that the runner is on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.model.plan import Effect, Ended, Lock, PlannedJob
from runner.model.run import Outcome, State
from runner.planning.passes import joined, rest
from tests.unit import parts
from tests.unit.parts import NOW, PAPIO, SERVER, plan, step

REBOOT = step("down/reboot", effect=Effect.INTERRUPT, needs=("power",))
STEPS = (step("down/idle"), REBOOT, step("down/back"), step("down/kernel"))
LOCKS = (
    Lock(resource="power papio", host=PAPIO, argv=("hold",), until="down/reboot"),
    Lock(resource="packages papio", host=PAPIO, argv=("hold",)),
)
PLAN = plan(*STEPS, jobs=(PlannedJob(name="down", kind="reboot", after=("other",), locks=LOCKS, instant=NOW),))


def ended(*names: str, state: State = State.DONE) -> tuple[Outcome, ...]:
    return tuple(Outcome(step=f"down/{name}", **parts.role(f"down/{name}"), job="down", state=state) for name in names)


def test_only_what_comes_after_the_reboot_is_left_and_never_the_reboot() -> None:
    left = rest(PLAN, ended("idle", "reboot"), PAPIO)
    assert left is not None
    assert [one.id for one in left.steps] == ["down/back", "down/kernel"]
    assert left.id == f"{PLAN.id}.back" and left.jobs[0].after == ()
    assert [lock.resource for lock in left.jobs[0].locks] == ["packages papio"]
    # For the instant the reboot itself is done, and who asks for it there would not go on.
    assert left.jobs[0].instant is None


def test_a_reboot_that_was_cut_off_while_it_was_ordered_counts_as_begun() -> None:
    # Its runner died with it, or lived to see it ended by a signal.
    (dead,) = ended("reboot", state=State.INTERRUPTED)
    for one in (dead, replace(dead, exit=-15, ended=NOW)):
        assert rest(PLAN, (*ended("idle"), one), PAPIO) is not None


def test_a_person_who_stops_the_run_before_the_reboot_has_rebooted_nothing() -> None:
    (stopped,) = ended("reboot", state=State.INTERRUPTED)
    stopped = replace(stopped, note="stopped before it began", started=NOW, ended=NOW)
    assert rest(PLAN, (*ended("idle"), stopped), PAPIO) is None


def test_a_reboot_that_cut_off_its_own_order_is_told_as_done_when_the_host_is_back() -> None:
    (cut,) = ended("reboot", state=State.INTERRUPTED)
    whole = joined(PLAN, (*ended("idle"), replace(cut, exit=-15, ended=NOW)), ended("back", "kernel"))
    assert [one.state for one in whole] == [State.DONE] * 4


def test_nothing_is_left_where_the_reboot_was_not_reached_or_refused_or_is_of_another_machine() -> None:
    assert rest(PLAN, ended("idle"), PAPIO) is None
    assert rest(PLAN, ended("reboot", state=State.STALE), PAPIO) is None
    assert rest(PLAN, ended("reboot", state=State.FAILED), PAPIO) is None
    assert rest(PLAN, ended("idle", "reboot"), SERVER) is None


def test_a_reboot_that_is_the_last_step_leaves_nothing() -> None:
    assert rest(replace(PLAN, steps=STEPS[:2]), ended("idle", "reboot"), PAPIO) is None


def test_of_two_reboots_the_last_that_was_begun_counts() -> None:
    first = replace(REBOOT, id="down/reboot-before")
    two = replace(PLAN, steps=(first, step("down/upgrade"), *STEPS[1:]))
    left = rest(two, ended("reboot-before"), PAPIO)
    assert left is not None
    assert [one.id for one in left.steps] == ["down/upgrade", "down/reboot", "down/back", "down/kernel"]
    left = rest(two, ended("reboot-before", "upgrade", "reboot"), PAPIO)
    assert left is not None
    assert [one.id for one in left.steps] == ["down/back", "down/kernel"]


def test_of_other_jobs_nothing_is_left_and_a_lock_is_taken_again_for_what_is_left_under_it() -> None:
    own = replace(LOCKS[0], resource="back", until="down/back")
    jobs = (replace(PLAN.jobs[0], locks=(*LOCKS, own)), PlannedJob(name="other", kind="prune"))
    two = replace(PLAN, steps=(step("other/one"), *STEPS, step("other/two")), jobs=jobs)
    left = rest(two, ended("idle", "reboot"), PAPIO)
    assert left is not None
    assert [one.id for one in left.steps] == ["down/back", "down/kernel"]
    assert [one.name for one in left.jobs] == ["down"]
    assert [lock.resource for lock in left.jobs[0].locks] == ["packages papio", "back"]


def test_what_is_for_when_the_reboot_was_not_done_is_not_left_behind_it() -> None:
    cancel = step("down/cancel", unless=Ended(step="down/reboot"))
    look = step("down/look", unless=Ended(step="down/back"))
    left = rest(replace(PLAN, steps=(*STEPS, cancel, look)), ended("idle", "reboot"), PAPIO)
    assert left is not None
    assert [one.id for one in left.steps] == ["down/back", "down/kernel", "down/look"]


@pytest.mark.parametrize("state", [State.INTERRUPTED, State.FAILED])
def test_only_a_reboot_that_was_begun_is_done_by_being_cut_off(state: State) -> None:
    (order,), (idle,) = ended("reboot", state=state), ended("idle", state=State.INTERRUPTED)
    # It was stopped before it began, or was refused; and a look that was cut off was no reboot.
    whole = joined(PLAN, (idle, replace(order, ended=NOW)), ())
    assert [(one.step, one.state) for one in whole] == [("down/idle", State.INTERRUPTED), ("down/reboot", state)]


def test_a_reboot_that_ended_as_it_should_keeps_its_note() -> None:
    (done,) = ended("reboot")
    done = replace(done, note="users were logged in")
    assert joined(PLAN, (done,), ())[0] == done


def test_the_report_has_what_came_before_and_after_in_the_plans_order() -> None:
    before = (*ended("idle"), *ended("reboot"), *ended("back", state=State.INTERRUPTED))
    whole = joined(PLAN, before, ended("back", "kernel"))
    assert [(one.step, one.state.value) for one in whole] == [
        ("down/idle", "done"), ("down/reboot", "done"), ("down/back", "done"), ("down/kernel", "done"),
    ]  # fmt: skip
