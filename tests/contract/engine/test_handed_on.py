"""A lock goes from job to job of a plan, and is never held while nobody works under it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner.model.plan import Effect, Lock, Plan, PlannedJob, Step
from tests.contract.engine.test_execute import NOW, Stage, python, step

# Only one at a time has it, and what it did is written down.
HOLDS = """
import json, os, sys
folder, who = sys.argv[1], sys.argv[-1]
with open(folder + "/log", "a") as log:
    try:
        os.mkdir(folder + "/held")
    except FileExistsError:
        sys.exit(print(json.dumps({"held": False, "holder": {"who": "another"}})))
    print("taken", who, file=log, flush=True)
    print(json.dumps({"held": True}), flush=True)
    sys.stdin.read()
    os.rmdir(folder + "/held")
    print("released", file=log)
"""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def lock(folder: Path, job: str, **changes: object) -> Lock:
    argv = (sys.executable, "-c", HOLDS, str(folder), f"--who={job}")
    return replace(Lock(resource="store papio", host="here", argv=argv), **changes)  # type: ignore[arg-type]


def job(name: str, *locks: Lock, after: tuple[str, ...] = ()) -> PlannedJob:
    return PlannedJob(name=name, kind="test", locks=locks, after=after)


def ran(stage: Stage, folder: Path, jobs: tuple[PlannedJob, ...], *steps: Step) -> list[str]:
    """What became of the locks; whether each step was done under one is in it too."""
    outcomes = stage.carry_out(Plan(id="p", made_at=NOW, site="s", live=True, jobs=jobs, steps=steps))
    assert [outcome.state.value for outcome in outcomes] == ["done"] * len(steps)
    assert not (folder / "held").exists()
    return (folder / "log").read_text().splitlines()


def under(name: str, folder: Path, word: str = "works") -> Step:
    """A step that does its work if the lock is held, or not where it has none."""
    source = "import os, sys; sys.exit(os.path.exists(sys.argv[1] + '/held') != (sys.argv[2] == 'works'))"
    return python(name, source, str(folder), word)


def test_jobs_that_follow_one_another_ask_for_it_once(stage: Stage, tmp_path: Path) -> None:
    jobs = (
        job("a", lock(tmp_path, "a")),
        job("b", lock(tmp_path, "b"), after=("a",)),
        job("c", lock(tmp_path, "c"), after=("b", "of-another-plan")),
    )
    log = ran(stage, tmp_path, jobs, *(under(f"{name}/1", tmp_path) for name in "abc"))
    assert log == ["taken --who=a", "released"]


def test_it_is_released_while_the_next_has_to_wait_for_somebody_else(stage: Stage, tmp_path: Path) -> None:
    jobs = (job("a", lock(tmp_path, "a")), job("b", after=("a",)), job("c", lock(tmp_path, "c"), after=("a", "b")))
    log = ran(
        stage, tmp_path, jobs, under("a/1", tmp_path), under("b/1", tmp_path, "alone"), under("c/1", tmp_path)
    )  # fmt: skip
    assert log == ["taken --who=a", "released", "taken --who=c", "released"]


def test_it_is_released_where_the_next_wants_another_lock_too(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    both = (lock(tmp_path, "b"), lock(tmp_path / "more", "b", resource="host papio"))
    jobs = (job("a", lock(tmp_path, "a")), job("b", *both, after=("a",)))
    log = ran(stage, tmp_path, jobs, under("a/1", tmp_path), under("b/1", tmp_path))
    assert log == ["taken --who=a", "released", "taken --who=b", "released"]


@pytest.mark.parametrize(
    "changes", [{"until": "b/1"}, {"argv": (sys.executable, "-c", HOLDS, "{}", "--uuid=another", "--who=b")}]
)
def test_one_that_is_not_quite_the_same_is_asked_for(stage: Stage, tmp_path: Path, changes: dict[str, object]) -> None:
    if "argv" in changes:
        changes = {"argv": tuple(str(tmp_path) if word == "{}" else word for word in changes["argv"])}  # type: ignore[attr-defined]
    jobs = (job("a", lock(tmp_path, "a")), job("b", lock(tmp_path, "b", **changes), after=("a",)))
    log = ran(stage, tmp_path, jobs, under("a/1", tmp_path), step("b/1"))
    assert log == ["taken --who=a", "released", "taken --who=b", "released"]


def test_one_that_is_lost_between_two_jobs_is_asked_for_again(stage: Stage, tmp_path: Path) -> None:
    source = HOLDS.replace("sys.stdin.read()", "while not os.path.exists(folder + '/gone'): pass")
    argv = (sys.executable, "-c", source, str(tmp_path), "--who=a")
    mine, gone = Lock(resource="store papio", host="here", argv=argv), tmp_path / "gone"
    source = "import os, sys, time; open(sys.argv[1] + '/gone', 'w').close(); time.sleep(60)"
    loses = python("a/1", source, str(tmp_path))
    jobs = (job("a", mine), job("b", mine, after=("a",)))
    steps = (loses, under("b/1", tmp_path, "alone"))
    outcomes = stage.carry_out(Plan(id="p", made_at=NOW, site="s", live=True, jobs=jobs, steps=steps))
    assert outcomes[0].state.value == "interrupted" and "the lock was lost" in outcomes[0].note
    assert gone.exists()
    assert (tmp_path / "log").read_text().splitlines()[:3] == ["taken --who=a", "released", "taken --who=a"]


def test_it_is_released_where_the_next_never_begins(stage: Stage, tmp_path: Path) -> None:
    stage.already["b"] = "by another run"
    jobs = (job("a", lock(tmp_path, "a")), job("b", lock(tmp_path, "b"), after=("a",)), job("c", after=("b",)))
    steps = (under("a/1", tmp_path), step("b/1"), under("c/1", tmp_path, "alone"))
    outcomes = stage.carry_out(Plan(id="p", made_at=NOW, site="s", live=True, jobs=jobs, steps=steps))
    assert [outcome.state.value for outcome in outcomes] == ["done", "already done", "done"]
    assert (tmp_path / "log").read_text().splitlines() == ["taken --who=a", "released"]
    assert steps[0].effect == Effect.WRITE
