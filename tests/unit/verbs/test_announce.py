"""What the users are told of an interruption that was carried out: only what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.model.plan import Effect, PlannedJob
from runner.model.run import Outcome, Pass, State
from runner.verbs import announce
from tests.unit import parts
from tests.unit.parts import NOW, plan, step

NAMES = ("idle", "reboot", "back", "settled", "kernel", "disk-usb", "page")


def a_pass(prefix: str = "", exit_code: int | None = 0, **states: State) -> Pass:
    """A pass in which each step was done, except those that are named."""
    steps = tuple(
        step(f"up/{prefix}{name}", effect=Effect.INTERRUPT, needs=("power",))
        if name == "reboot"
        else step(f"up/{prefix}{name}")
        for name in NAMES
    )
    outcomes = tuple(
        Outcome(
            step=one.id, **parts.role(one.id), job="up", state=states.get(one.id.rpartition("/")[2].replace("-", "_"), State.DONE),
            exit=exit_code, started=NOW, ended=NOW,
        )
        for one in steps
    )  # fmt: skip
    return Pass(plan=plan(*steps, jobs=(PlannedJob(name="up", kind="reboot"),)), outcomes=outcomes)


def came(*done: Pass) -> str:
    return announce._end_of([one for item in done for one in item.outcomes], done)[0]


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ({}, "over"),
        # Users are not concerned with which kernel it is.
        ({"kernel": State.FAILED}, "over"),
        ({"page": State.FAILED}, "late"), ({"disk_usb": State.FAILED}, "late"), ({"back": State.FAILED}, "late"),
        ({"settled": State.FAILED, "page": State.INTERRUPTED}, "late"),
        ({"back": State.INTERRUPTED}, "unseen"), ({"page": State.INTERRUPTED}, "unseen"),
        ({"back": State.NOT_REACHED}, "unseen"),
        ({"reboot": State.STALE}, ""), ({"reboot": State.FAILED}, ""), ({"reboot": State.INTERRUPTED}, "unseen"),
    ],
)  # fmt: skip
def test_back_is_said_only_when_all_that_people_need_was_seen(states: dict[str, State], told: str) -> None:
    assert came(a_pass(**states)) == told


def test_who_was_stopped_before_the_order_has_interrupted_nobody() -> None:
    assert came(a_pass(reboot=State.INTERRUPTED, exit_code=None)) == ""


def test_a_reboot_in_an_earlier_pass_counts_and_looks_of_one_that_did_not_come_do_not() -> None:
    first = a_pass("before/")
    rest = dict.fromkeys(("idle", "reboot", "back", "settled", "kernel", "disk_usb", "page"), State.NOT_REACHED)
    assert came(first, a_pass(**rest)) == "over"
    assert came(first, replace(first, outcomes=())) == "over"
    assert came(first, a_pass(page=State.FAILED)) == "late"
