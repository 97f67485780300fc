"""What audits found is noted for the snapshots that are made of the damaged ones, and for no later one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from runner.agent.retention.damage import latest, noted, run
from runner.agent.retention.noted import DamagedCount, counted
from runner.agent.store.layout import StoreFolder, is_name

ONE, TWO, THREE, OTHER = "2026-11-20T010000Z", "2026-11-21T010000Z", "2026-11-22T010000Z", "2026-11-23T010000Z"
LATER, LAST = "2026-11-22T011000Z", "2026-11-24T010000Z"


class House:
    """A store in which snapshots of two hosts are made and rot; `audit` is what an audit notes of them."""

    def __init__(self, place: Path) -> None:
        self.store = StoreFolder(place)
        self.store.records.mkdir(parents=True)

    def seal(self, name: str, host: str = "papio", mounts: tuple[str, ...] = ("/", "/home")) -> None:
        (self.store.root / name / "home").mkdir(parents=True)
        points = [{"mount": mount} for mount in mounts]
        self.store.record(name).write_text(json.dumps({"host": host, "filesystems": points}))

    def audit(self, *damaged: tuple[str, bytes], inode: int | None = None, until: str = "") -> int:
        """How many names the next snapshots are to compare."""
        state = json.loads(self.store.audit.read_text()) if self.store.audit.exists() else {}
        kept, fresh = noted(self.store, state, dict.fromkeys(damaged, inode), until)
        self.store.audit.write_text(json.dumps({"damaged": kept}))
        return fresh

    @property
    def counts(self) -> tuple[DamagedCount, ...]:
        return counted(self.store)


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    for name in (ONE, TWO):
        made.seal(name)
    made.seal(OTHER, "babase")
    return made


def listed(house: House, capfdbinary: pytest.CaptureFixture[bytes], basis: str, mount: str = "/") -> bytes:
    capfdbinary.readouterr()
    assert run((str(house.store.root), "--host=papio", f"--mount={mount}", f"--basis={basis}")) == 0
    return capfdbinary.readouterr().out


def test_each_name_is_noted_for_its_filesystem_until_a_later_snapshot_is_sealed(
    house: House, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    hostile = b"-rf\n\xff\\#012"
    assert house.audit((TWO, b"etc/" + hostile), (ONE, b"home/x"), (ONE, b"homely"), (OTHER, b"x")) == 4
    assert house.counts == (
        DamagedCount("babase", "/", OTHER, 1), DamagedCount("papio", "/", TWO, 2), DamagedCount("papio", "/home", TWO, 1)
    )  # fmt: skip
    for basis in (ONE, TWO):
        assert set(listed(house, capfdbinary, basis).split(b"\0")) == {b"./etc/" + hostile, b"./homely", b""}
        assert listed(house, capfdbinary, basis, "/home") == b"./x\0"
    assert listed(house, capfdbinary, THREE) == b""


def test_what_is_found_again_is_not_told_twice_and_what_rots_in_a_later_one_is(house: House) -> None:
    assert house.audit((ONE, b"x"), (TWO, b"y")) == 2
    assert house.audit() == house.audit((ONE, b"x"), (TWO, b"x")) == 2
    house.seal(THREE)
    assert house.audit((ONE, b"x"), (TWO, b"y")) == 0
    assert house.audit((THREE, b"x")) == 1
    assert {each.until: each.names for each in house.counts} == {TWO: 1, THREE: 1}


def test_an_inode_that_the_newest_shares_is_damaged_there_too(house: House) -> None:
    assert house.audit((ONE, b"x")) == 1
    house.seal(THREE)
    (house.store.root / THREE / "x").write_text("rotten")
    inode = (house.store.root / THREE / "x").stat().st_ino
    assert house.audit((ONE, b"x"), inode=inode + 1) == 0
    assert house.audit((ONE, b"x"), inode=inode) == 1


def test_a_snapshot_that_was_planned_before_the_audit_ended_is_compared_by_the_next(house: House) -> None:
    """Its plan did not know, and its name says when it was planned."""
    assert house.audit((TWO, b"x"), until=LATER) == 1
    house.seal(THREE)
    assert house.audit((ONE, b"x"), (THREE, b"x"), until=OTHER) == 1
    assert house.counts == (DamagedCount("papio", "/", LATER, 1),)
    house.seal(LAST)
    assert house.audit((THREE, b"x"), until=LAST) == 0


def test_a_note_of_a_clock_that_was_ahead_or_behind_does_not_stay_for_ever(house: House) -> None:
    assert house.audit((TWO, b"x"), until="2099-01-01T000000Z") == 1
    house.seal(THREE)
    assert house.audit(until=LATER) == 1
    assert house.counts == (DamagedCount("papio", "/", LATER, 1),)
    house.seal(LAST)
    assert house.audit(until=LAST) == 0
    assert house.audit((LAST, b"x"), until="1970-01-01T000000Z") == 1


@pytest.mark.parametrize(
    ("now", "name"),
    [
        (0, "1970-01-01T001000Z"),
        (-(10**18), "1970-01-01T001000Z"),
        (1_795_000_000 * 10**9, "2026-11-18T111640Z"),
        (10**21, "2099-12-31T235959Z"),
    ],
)
def test_who_plans_ten_minutes_later_knows_it_whatever_the_clock_says(now: int, name: str) -> None:
    assert (latest(now), is_name(latest(now))) == (name, True)


def test_it_is_forgotten_once_all_are_gone_that_were_there(house: House) -> None:
    house.audit((ONE, b"x"))
    house.seal(THREE)
    for name, left in ((ONE, 1), (TWO, 0)):
        house.store.record(name).unlink()
        house.audit()
        assert len(house.counts) == left


@pytest.mark.parametrize("path", [b".", b"home", b"", b"a/../b", b"/etc"])
def test_what_no_list_can_have_is_not_noted(house: House, path: bytes) -> None:
    house.store.record(TWO).write_text(json.dumps({"host": "papio", "filesystems": [{"mount": "/home"}, 7]}))
    assert house.audit((TWO, path), (THREE, b"gone"), (OTHER + "x", b"none")) == 0


@pytest.mark.parametrize("note", [7, "x", {"a": 1}, [7], [["papio", "/", TWO]], [["papio", 7, TWO, "x"]],
                                  [["papio", "home", TWO, "x"]], [["papio", "/", "2026", "x"]]])  # fmt: skip
def test_a_note_that_cannot_be_read_is_none(house: House, note: object) -> None:
    house.store.audit.write_text(json.dumps({"damaged": note}))
    assert (house.counts, house.audit()) == ((), 0)


@pytest.mark.parametrize("name", ["../x", "/etc", "", ".", "a//b", "\ud800", "a\0b"])
def test_a_noted_name_that_none_can_have_is_passed_over(
    house: House, name: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    house.store.audit.write_text(json.dumps({"damaged": [["papio", "/", TWO, name], ["papio", "/", TWO, "x"]]}))
    assert listed(house, capfdbinary, TWO) == b"./x\0"


def test_names_keep_their_bytes(house: House) -> None:
    house.audit((TWO, b"\xff"))
    ((_, _, _, path),) = json.loads(house.store.audit.read_text())["damaged"]
    assert os.fsencode(path) == b"\xff"
