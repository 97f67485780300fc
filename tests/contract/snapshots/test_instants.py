"""The agent makes one snapshot a job and instant, whatever it is told and whoever asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.storehouse import Said, Storehouse, frame

FIRST, SECOND, THIRD = "2026-11-23T081500Z", "2026-11-23T081600Z", "2026-11-23T081700Z"
INSTANT = "2026-11-23T08:15:00+00:00"
FOR = ("--job=backup", f"--instant={INSTANT}")


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("content")
    return Storehouse(root=tmp_path / "store", source=source)


def begin(house: Storehouse, name: str, *options: str, basis: str = "", resume: str = "") -> Said:
    again = (f"--resume={resume}",) if resume else ()
    known = (str(house.root), name, f"--plan={house.plan}", f"--basis={basis}", *again)
    return house.call("begin", *known, *options, "--whole=/", "--", "/")


def seal(house: Storehouse, name: str, job: str = "backup") -> Said:
    sent = house.send(name)
    assert sent.code == 0, sent.err
    return house.seal(name, frame("send", sent), f"--job={job}")


def already(said: Said, name: str) -> None:
    assert said.code == 79, said.out
    assert said.answer == {"error": f"backup has sealed {name} for that time", "do": "", "already": name}


def not_sealed(house: Storehouse, *options: str) -> Said:
    return house.call("not-sealed", str(house.root), *options)


def test_a_second_one_for_the_same_job_and_instant_is_already_done(house: Storehouse) -> None:
    assert not_sealed(house, *FOR).answer == {"due": True}
    with house.held():
        assert begin(house, FIRST, *FOR).code == 0
        assert not_sealed(house, *FOR).code == 0
        assert seal(house, FIRST).code == 0
        already(not_sealed(house, *FOR), FIRST)
        already(begin(house, SECOND, *FOR, basis=FIRST), FIRST)
    assert not list((house.root / ".partial").glob("*Z"))
    assert json.loads((house.root / f".runner/records/{FIRST}.json").read_text())["instant"] == INSTANT
    # The same moment, as others would write it.
    already(not_sealed(house, "--job=backup", "--instant=2026-11-23T03:15:00-05:00"), FIRST)


def test_what_was_begun_before_the_other_was_sealed_is_refused_by_the_seal(house: Storehouse) -> None:
    """The lock was lost and taken by another: what it sealed has another name, and this begins where it began."""
    with house.held():
        assert begin(house, FIRST, *FOR).code == 0
        assert seal(house, FIRST).code == 0
        assert begin(house, SECOND, basis=FIRST).code == 0
        begun = house.root / f".partial/{SECOND}.json"
        begun.write_text(json.dumps({**json.loads(begun.read_text()), "instant": INSTANT}))
        already(seal(house, SECOND), FIRST)
    assert not (house.root / SECOND).exists()


@pytest.mark.parametrize(
    "other", [(), ("--job=another", f"--instant={INSTANT}"), ("--job=backup", "--instant=2026-11-24T08:15:00Z")]
)
def test_by_hand_for_another_job_or_instant_there_is_always_another(house: Storehouse, other: tuple[str, ...]) -> None:
    with house.held():
        assert begin(house, FIRST, *FOR).code == 0
        assert seal(house, FIRST).code == 0
        assert begin(house, SECOND, *other, basis=FIRST).code == 0
        assert seal(house, SECOND, "another" if "--job=another" in other else "backup").code == 0
        if not other:
            assert begin(house, THIRD, basis=SECOND).code == 0


@pytest.mark.parametrize("at", ["2026-11-23T20:15:00Z", "2026-11-24T08:15:00Z"])
def test_a_clock_that_was_set_back_hides_no_snapshot(house: Storehouse, at: str) -> None:
    """Named by a clock that is behind, by a day at most: the time of its name is before its instant."""
    instant = ("--job=backup", f"--instant={at}")
    with house.held():
        assert begin(house, FIRST, *instant).code == 0
        assert seal(house, FIRST).code == 0
        already(not_sealed(house, *instant), FIRST)


def test_a_damaged_record_is_of_no_instant_and_an_instant_that_is_none_is_refused(house: Storehouse) -> None:
    with house.held():
        assert begin(house, FIRST, *FOR).code == 0
        assert seal(house, FIRST).code == 0
    record = house.root / f".runner/records/{FIRST}.json"
    whole = json.loads(record.read_text())
    for instant in (None, "", "soon", 7, [INSTANT]):
        record.write_text(json.dumps({**whole, "instant": instant}))
        assert not_sealed(house, *FOR).code == 0, instant
    assert not_sealed(house, "--job=backup", "--instant=soon").code == 1
