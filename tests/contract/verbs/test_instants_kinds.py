"""Kinds that leave no record: for them the journal knows what was done for an instant, and it is done once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.contract.site import Place
from tests.contract.verbs.test_instants import DUE, HERE, already, option

# It writes a line for each thing it does: `argv`, and before that `first`, which must be planned after again.
KIND = """
from dataclasses import dataclass
from pathlib import Path
from runner.hookspecs import hookimpl
from runner.model.kind import Draft
from runner.model.plan import Command, Effect, PlannedJob, Step
from runner.model.role import Role

@dataclass(frozen=True, kw_only=True)
class Options:
    argv: tuple[str, ...]
    first: tuple[str, ...] = ()
    mark: str = "/none"

class Deed:
    name = "deed"
    options = Options
    words = {"type": "array", "items": {"type": "string"}}
    schema = {"type": "object", "properties": {"argv": words, "first": words, "mark": {"type": "string"}}}
    def probes(self, site, job):
        return ()
    def draft(self, site, job, facts, now):
        again = bool(job.options.first) and not Path(job.options.mark).exists()
        argv = job.options.first if again else job.options.argv
        step = Step(id=f"{job.name}/deed", job=job.name, host=job.host, action=Command(argv=argv), why="a test",
                    effect=Effect.INTERRUPT, role=Role.DOWN, replans=again)
        return Draft(planned=PlannedJob(name=job.name, kind=self.name), steps=(step,))

class Plugin:
    @hookimpl
    def declare_kinds(self):
        return (Deed(),)

def plugin(settings):
    return Plugin()
"""
SITE = """
[jobs.deed]
kind = "deed"
host = "papio"
schedule = "{schedule}"
argv = ["sh", "-c", "{argv}"]
{more}
[hooks."mysite.deed"]
"""


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    tree = tmp_path / "tree"
    tree.mkdir()
    made = Place(folder=tmp_path / "site", trees=(tree,))
    (made.folder / "mysite").mkdir(parents=True)
    (made.folder / "mysite/deed.py").write_text(KIND)
    return made


def declare(place: Place, argv: str, more: str = "") -> None:
    schedule = f"{DUE.astimezone(HERE):%M %H} * * *"
    place.declare(SITE.format(schedule=schedule, argv=argv, more=more), site='unattended = "interrupt"')


def count(mark: Path) -> int:
    return mark.read_text().count("\n") if mark.exists() else 0


def test_it_is_done_once_for_its_instant_and_by_hand_as_often_as_a_person_likes(place: Place, mark: Path) -> None:
    declare(place, f"echo >> {mark}")
    assert place.runner("run", "deed", *option(DUE)).code == 0
    already(place.runner("run", "deed", *option(DUE)))
    assert count(mark) == 1
    for number in (2, 3):
        assert place.runner("run", "deed").code == 0
        assert count(mark) == number


def test_what_failed_is_not_done(place: Place, mark: Path) -> None:
    declare(place, f"echo >> {mark}; exit 1")
    for number in (1, 2):
        assert place.runner("run", "deed", *option(DUE)).code == 1
        assert count(mark) == number


def test_one_that_had_planned_it_before_another_did_it_leaves_it_when_it_has_its_turn(place: Place, mark: Path) -> None:
    declare(place, f"echo >> {mark}")
    assert place.runner("plan", "deed", *option(DUE), "--out", "plan.toml").code == 0
    assert place.runner("run", "deed", *option(DUE)).code == 0
    already(place.runner("apply", "plan.toml"))
    assert count(mark) == 1


def test_a_reboot_that_cuts_off_its_own_run_is_not_done_twice(place: Place, mark: Path) -> None:
    declare(place, f"echo >> {mark}; kill -9 $PPID")
    assert place.runner("plan", "deed", *option(DUE), "--out", "plan.toml").code == 0
    assert place.runner("run", "deed", *option(DUE)).code == -signal.SIGKILL
    assert count(mark) == 1
    already(place.runner("run", "deed", *option(DUE)))
    # Its end has been told of now.
    already(place.runner("run", "deed", *option(DUE)))
    already(place.runner("apply", "plan.toml"))
    assert place.runner("run").code == 0
    assert count(mark) == 1


def test_a_run_that_must_plan_again_is_not_taken_for_another(place: Place, mark: Path) -> None:
    words = f"echo >> {mark}"
    declare(place, words, f'first = ["sh", "-c", "{words}"]\nmark = "{mark}"')
    said = place.runner("run", "deed", *option(DUE))
    assert said.code == 0 and count(mark) == 2, said.out
    already(place.runner("run", "deed", *option(DUE)))
    assert count(mark) == 2
