"""The store's lock: one holder, known by name, gone with its process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.answer import Refused
from runner.agent.store import lock
from runner.agent.store.layout import StoreFolder
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
        assert house.compose(ONE).code == 0
        with sealing(house, sent[:20]) as verb:
            descriptor = os.open(house.root / ".runner/lock", os.O_RDWR)
            try:
                assert lock.held_by(descriptor, lock.WORK) == verb.pid
            finally:
                os.close(descriptor)
            refused = house.call("reap", str(house.root), "--plan", house.plan)
            assert (refused.code, refused.answer["holder"]["plan"]) == (75, house.plan)
            assert "another verb is at work" in refused.answer["error"]
            other = house.call("reap", str(house.root), "--plan", "another")
            assert (other.code, other.answer["error"]) == (75, "the store is held by a test")
            out, err = verb.communicate(sent[20:])
            assert verb.returncode == 0, out + err
        assert house.call("reap", str(house.root), "--plan", house.plan).code == 0


def test_a_verb_whose_holder_was_killed_keeps_the_store_to_itself(house: Storehouse) -> None:
    with house.held() as holder:
        house.begin(ONE)
        sent = frame("send", house.send(ONE))
        sent += frame("walk", house.walk(0, sent))
        assert house.compose(ONE).code == 0
        with sealing(house, sent[:20]) as verb:
            holder.kill()
            holder.wait()
            second = house.call("reap", str(house.root), "--plan", house.plan)
            assert (second.code, "another verb is at work" in second.answer["error"]) == (75, True)
            assert hold(house, "plan-2")[0] == 75
            out, err = verb.communicate(sent[20:])
            assert verb.returncode == 0, out + err
    assert hold(house, "plan-2")[0] == 0


def test_without_a_plan_nobody_writes_whoever_holds_the_store(house: Storehouse) -> None:
    with house.held():
        assert house.call("freed", str(house.root), "--save").answer["error"] == "--plan is missing"


def told(house: Storehouse) -> dict[str, object] | None:
    """Who holds the store, as a probe says that cannot see its holder: it has process numbers of its own."""
    request = {"host": "h", "stores": [{"name": "s", "path": str(house.root), "mount": "", "uuid": ""}]}
    apart = ("unshare", "--pid", "--fork", "--mount-proc")
    answer = house.call("probe", given=json.dumps(request).encode(), around=apart).answer
    holder: dict[str, object] | None = answer["stores"]["s"]["holder"]
    return holder


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for process numbers of its own")
def test_what_a_holder_wrote_of_itself_is_believed_as_far_as_it_can_be_true(house: Storehouse) -> None:
    path = house.root / ".runner/lock"
    with house.held("plan-7") as first:
        holder = told(house)
        assert holder is not None
        assert (holder["plan"], holder["pid"]) == ("plan-7", first.pid)
        most = 1 << 22
        for number, known in ((1, 1), (most - 1, most - 1), (most, 0), (0, 0), (-1, 0), (True, 0), ("7", 0), (None, 0)):
            path.write_text(json.dumps({"plan": "p" * 1001, "who": "w" * 1001, "pid": number}))
            assert told(house) == {"plan": "p" * 1000, "who": "w" * 1000, "pid": known, "since": None}
            # Who sees the holder believes the kernel.
            assert (lock.holder(path) or {}).get("pid") == first.pid
        path.write_text("[]")
        assert told(house) == {"plan": "", "who": "", "pid": 0, "since": None}
        refused = house.call("reap", str(house.root), "--plan", house.plan)
        assert (refused.code, refused.answer["error"]) == (75, "the store is held by another run")
    assert told(house) is None


def test_a_lock_that_is_a_link_is_not_followed(house: Storehouse, tmp_path: Path) -> None:
    assert house.snapshot(ONE).code == 0
    path, victim = house.root / ".runner/lock", tmp_path / "victim"
    path.rename(victim)
    path.symlink_to(victim)
    with victim.open("r+b", buffering=0) as stream:
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
        assert lock.holder(path) is None
        for argv in (("hold",), ("reap", "--plan", house.plan), ("reading", ONE)):
            assert house.call(argv[0], str(house.root), *argv[1:]).code == 1


def test_who_reads_a_store_without_a_lock_is_told_so(house: Storehouse) -> None:
    assert house.snapshot(ONE).code == 0
    (house.root / ".runner/lock").unlink()
    assert house.call("reading", str(house.root), ONE).answer["error"] == f"{house.root} has no lock"


def test_reading_a_snapshot_holds_no_other_not_even_of_the_second_before(house: Storehouse) -> None:
    names = ("2026-11-21T010000Z", "2026-11-21T010001Z", "2026-11-21T010002Z")
    for before, name in zip(("", *names), names, strict=False):
        assert house.snapshot(name, before).code == 0
    argv = (*PROGRAM, "reading", str(house.root), names[1])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as reader:
        assert reader.stdout and reader.stdout.readline()
        with house.held():
            answer = house.call("expire", str(house.root), names[0], "--min=1", "--plan", house.plan).answer
            assert answer.get("expired") == names[0]


def test_no_descriptor_stays_open_where_nobody_works(house: Storehouse) -> None:
    store = StoreFolder(house.root)
    with house.held():
        before = list(Path("/proc/self/fd").iterdir())
        assert lock.holder(store.lock) is not None
        with pytest.raises(Refused), lock.working(store, "another"):
            pass
        with lock.working(store, house.plan):
            pass
        assert list(Path("/proc/self/fd").iterdir()) == before
