"""Steps that go on beside the next ones: what waits for them, how they fail, and how both are stopped."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from runner.engine.job.beside import Beside
from runner.model.run import State
from tests.contract.engine.test_execute import HELD, Stage, lock, python, states, step
from tests.contract.site import until

# Each tells the other that it is there, and waits until it is told.
MEETS = "import sys; open(sys.argv[1], 'w').close(); open(sys.argv[2]).close()"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def pipes(tmp_path: Path) -> tuple[str, str]:
    pair = (str(tmp_path / "there"), str(tmp_path / "back"))
    for path in pair:
        os.mkfifo(path)
    return pair


def test_it_goes_on_beside_those_between_and_the_one_named_waits(stage: Stage, pipes: tuple[str, str]) -> None:
    there, back = pipes
    clone = replace(python("a/clone", MEETS, there, back), until="a/send")
    look = python("a/look", "import sys; open(sys.argv[1]).close(); open(sys.argv[2], 'w').close()", there, back)
    outcomes = stage.run(clone, look, step("a/send"), step("a/seal"))
    assert states(outcomes) == ["done"] * 4
    assert [outcome.step for outcome in outcomes] == ["a/clone", "a/look", "a/send", "a/seal"]
    assert stage.journal.index(("a/look", "begun")) < stage.journal.index(("a/clone", "done"))
    assert stage.journal.index(("a/clone", "done")) < stage.journal.index(("a/send", "begun"))


@pytest.mark.parametrize("bad", ["clone", "look"])
def test_when_one_of_them_fails_nothing_more_begins_and_the_other_ends(stage: Stage, bad: str) -> None:
    argv = {name: ("false",) if name == bad else () for name in ("clone", "look")}
    clone = replace(step("a/clone", *argv["clone"]), until="a/send")
    undone = replace(step("a/undo"), despite=("a/clone", "a/look"))
    outcomes = stage.run(clone, step("a/look", *argv["look"]), step("a/send"), undone)
    found = {outcome.step: outcome.state for outcome in outcomes}
    assert found[f"a/{bad}"] == State.FAILED
    assert found["a/send"] == State.NOT_REACHED and found["a/undo"] == State.DONE
    assert len(stage.journal) == len({*stage.journal})


def test_one_that_has_failed_is_known_before_the_next_step_whoever_waits_for_it() -> None:
    with Beside() as beside:
        clone = replace(step("a/clone"), until="a/seal")
        beside.begin(clone, lambda _: State.FAILED)
        told: list[tuple[str, State]] = []
        until(lambda: bool(told.extend(beside.ended("a/send")) or told))
        assert told == [("a/clone", State.FAILED)]
        assert list(beside.ended("a/seal")) == []


def test_a_wish_to_stop_ends_both(stage: Stage, tmp_path: Path) -> None:
    source = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
    mark = tmp_path / "mark"
    threading.Thread(target=stage.stop_when, args=(mark,)).start()
    clone = replace(step("a/clone", sys.executable, "-c", "import time; time.sleep(600)"), until="a/send")
    outcomes = stage.run(clone, python("a/look", source, str(mark)), step("a/send"))
    assert states(outcomes) == ["interrupted", "interrupted", "not reached"]


def test_when_the_lock_is_lost_both_end(stage: Stage, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    waits = f"import os, time\nwhile not os.path.exists({str(mark)!r}): time.sleep(0.01)"
    works = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
    clone = replace(step("a/clone", sys.executable, "-c", "import time; time.sleep(600)"), until="a/send")
    outcomes = stage.run(
        clone, python("a/look", works, str(mark)), step("a/send"),
        locks=lock(HELD.replace("sys.stdin.read()", waits)),
    )  # fmt: skip
    assert states(outcomes) == ["interrupted", "interrupted", "not reached"]


def test_a_fault_of_ours_in_it_is_held_to_it(stage: Stage) -> None:
    clone = replace(step("a/clone"), until="a/send", host="nowhere")
    outcomes = stage.run(clone, step("a/look"), step("a/send"))
    # Whether it is known before the step beside it begins is a race.
    assert (states(outcomes)[0], states(outcomes)[2]) == ("failed", "not reached")
    assert "a bug in the runner" in outcomes[0].note and "KeyError" in outcomes[0].log
