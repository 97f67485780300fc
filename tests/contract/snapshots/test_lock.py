"""The store's lock: one holder, known by name, gone with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.store import lock
from tests.contract.site import until
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Storehouse, frame

ONE, TWO = "2026-11-21T010000Z", "2026-11-22T010000Z"


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    (tmp_path / "source").mkdir()
    return Storehouse(root=tmp_path / "store", source=tmp_path / "source")


def hold(house: Storehouse, plan: str) -> tuple[int, dict[str, object]]:
    result = house.call("hold", str(house.root), "--plan", plan, "--who", "another")
    return result.code, result.answer


def test_a_second_holder_is_told_who_is_first(house: Storehouse) -> None:
    with house.held("plan-7") as first:
        code, answer = hold(house, "plan-8")
        assert code == 75
        assert answer["held"] is False
        holder = answer["holder"]
        assert isinstance(holder, dict)
        assert (holder["plan"], holder["who"], holder["pid"]) == ("plan-7", "a test", first.pid)
    assert hold(house, "plan-8")[0] == 0


def test_the_lock_is_free_when_its_holder_is_killed(house: Storehouse) -> None:
    with house.held() as first:
        first.kill()
        first.wait()
        assert hold(house, "plan-8")[0] == 0


def test_a_writing_verb_without_the_lock_changes_nothing(house: Storehouse) -> None:
    assert house.begin(ONE).code == 1
    assert not house.root.exists()
    with house.held("another plan"):
        result = house.begin(ONE)
        assert result.code == 75
        assert result.answer["holder"]["plan"] == "another plan"
        assert house.call("reap", str(house.root), "--plan", house.plan).code == 75
    result = house.begin(ONE)
    assert result.code == 1
    assert "nobody holds" in result.answer["error"]


def test_a_partial_of_another_plan_cannot_be_sealed(house: Storehouse) -> None:
    with house.held():
        house.begin(ONE)
        sent = house.send(ONE)
    later = Storehouse(root=house.root, source=house.source, plan="plan-2")
    with later.held():
        assert "another plan" in later.seal(ONE, frame("send", sent)).answer["error"]


def test_nobody_takes_the_lock_while_a_verb_of_the_former_holder_works(house: Storehouse) -> None:
    with house.held():
        pass
    with (house.root / ".runner/lock").open("r+b", buffering=0) as verb:
        fcntl.lockf(verb, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 1)
        assert hold(house, "plan-2")[0] == 75
    assert hold(house, "plan-2")[0] == 0


@contextlib.contextmanager
def sealing(house: Storehouse, sent: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """A seal of ONE that has been given `sent`, whatever more it waits for, and is at work."""
    argv = (*PROGRAM, "seal", str(house.root), ONE, "--plan", house.plan, "--transfer", "send=/", "--walked", "walk=/")
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=ENVIRONMENT) as verb:
        assert verb.stdin
        verb.stdin.write(sent)
        verb.stdin.flush()
        draft = house.root / f".runner/records/{ONE}.sums.gz.tmp"
        until(lambda: draft.exists() or verb.poll() is not None)
        assert verb.poll() is None, verb.communicate()
        yield verb


def test_a_verb_at_work_has_the_second_byte_and_lets_no_other_work(house: Storehouse) -> None:
    with house.held():
        house.begin(ONE)
        sent = frame("send", house.send(ONE))
        sent += frame("walk", house.walk(0, sent))
        with sealing(house, sent[:20]) as verb:
            descriptor = os.open(house.root / ".runner/lock", os.O_RDWR)
            try:
                assert lock.held_by(descriptor, lock.WORK) == verb.pid
            finally:
                os.close(descriptor)
            refused = house.call("reap", str(house.root), "--plan", house.plan)
            assert (refused.code, refused.answer["holder"]["plan"]) == (75, house.plan)
            assert "another verb is at work" in refused.answer["error"]
            out, err = verb.communicate(sent[20:])
            assert verb.returncode == 0, out + err
        assert house.call("reap", str(house.root), "--plan", house.plan).code == 0


def test_a_verb_whose_holder_was_killed_keeps_the_store_to_itself(house: Storehouse) -> None:
    with house.held() as holder:
        house.begin(ONE)
        sent = frame("send", house.send(ONE))
        sent += frame("walk", house.walk(0, sent))
        with sealing(house, sent[:20]) as verb:
            holder.kill()
            holder.wait()
            assert hold(house, "plan-2")[0] == 75
            out, err = verb.communicate(sent[20:])
            assert verb.returncode == 0, out + err
    assert hold(house, "plan-2")[0] == 0
