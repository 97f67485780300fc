"""Pins: a person's word for keeping a snapshot."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from runner.model.facts import Snapshot
from tests.contract.retention.test_expire import expire, facts, verb
from tests.contract.storehouse import PROGRAM, Said, Storehouse, copied, filled

ONE, TWO, THREE = (f"2026-11-2{day}T010000Z" for day in range(3))
PLAN, WHO = "\U0001f600" * 100, "\U0001f600" * 200
SOON = "2099-01-01T02:00:00+02:00"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    return filled(tmp_path_factory.mktemp("ready"), (ONE, TWO, THREE))


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


def pin(house: Storehouse, name: str, until: str = SOON, why: str = "the audit of 2026") -> Said:
    return verb(house, "pin", name, "--until", until, "--why", why)


def test_a_pinned_snapshot_stays_until_it_is_unpinned(house: Storehouse) -> None:
    assert pin(house, ONE).answer == {"pinned": ONE, "until": "2099-01-01T00:00:00.000000Z", "why": "the audit of 2026"}
    assert "the audit of 2026" in expire(house, ONE).answer["error"]
    assert expire(house, TWO).code == 0
    unpinned = verb(house, "unpin", ONE)
    assert (unpinned.code, unpinned.answer) == (0, {"unpinned": ONE})
    assert verb(house, "unpin", ONE).code == 1
    assert expire(house, ONE).code == 0


def test_to_unpin_what_is_not_pinned_is_refused_and_the_pins_stay(house: Storehouse) -> None:
    pin(house, ONE)
    before = (house.root / ".runner/pins.json").read_bytes()
    for name in (TWO, "2026-11-19T010000Z"):
        assert verb(house, "unpin", name).answer["error"] == f"'{name}' is not pinned"
    assert (house.root / ".runner/pins.json").read_bytes() == before


def test_a_pin_for_ever_holds_to_the_last_moment_of_the_calendar(house: Storehouse) -> None:
    assert pin(house, ONE, "9999-12-31T23:59:59.999999Z").code == 0
    assert "pinned" in expire(house, ONE).answer["error"]
    assert pin(house, TWO, "10000-01-01T00:00:00Z").code == 1
    assert expire(house, TWO).code == 0


def test_a_probe_tells_pins_as_the_facts_want_them(house: Storehouse) -> None:
    pin(house, TWO, why='a "quoted"\nwhy')
    known = {"name", "pinned_until", "pinned_why", "being_read"}
    snapshots = [
        msgspec.convert({key: each[key] for key in known & each.keys()}, Snapshot) for each in facts(house)["sealed"]
    ]
    assert [each.pinned_until is not None for each in snapshots] == [False, True, False]
    assert snapshots[1].pinned_why == 'a "quoted"\nwhy'


@pytest.mark.alone
def test_a_pin_that_has_run_out_keeps_nothing(house: Storehouse) -> None:
    now = time.gmtime(time.time() + 2)
    assert pin(house, ONE, time.strftime("%Y-%m-%dT%H:%M:%SZ", now)).code == 0
    assert expire(house, ONE).code == 1
    time.sleep(2.1)
    assert expire(house, ONE).code == 0


@pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "2099-01-01", "soon", "", "9999-12-31T23:59:59-10:00"])
def test_a_pin_needs_a_moment_in_the_future(house: Storehouse, until: str) -> None:
    assert pin(house, ONE, until).code == 1
    assert expire(house, ONE).code == 0


def test_a_pin_needs_a_reason_a_snapshot_and_the_lock(house: Storehouse) -> None:
    assert pin(house, ONE, why=" ").answer["error"] == "--why is missing"
    assert pin(house, "2026-11-19T010000Z").code == 1
    argv = ("pin", str(house.root), ONE, "--until", SOON, "--why", "w", "--plan", house.plan)
    assert house.call(*argv).code == 1


@pytest.mark.parametrize("content", ["", "[]", '{"x": {}}', '{"x": {"until": "soon", "why": ""}}'])
def test_pins_that_cannot_be_understood_keep_everything(house: Storehouse, content: str) -> None:
    (house.root / ".runner/pins.json").write_text(content)
    assert expire(house, ONE).code == 1
    assert len(facts(house)["sealed"]) == 3


def test_the_pins_of_snapshots_that_are_gone_are_dropped(house: Storehouse) -> None:
    (house.root / ".runner/pins.json").write_text(
        '{"2026-11-01T010000Z": {"until": "2099-01-01T00:00:00Z", "why": "gone"}}'
    )
    pin(house, ONE)
    assert list(json.loads((house.root / ".runner/pins.json").read_text())) == [ONE]


def test_whoever_holds_a_store_is_named_however_long_a_name_he_gives(house: Storehouse) -> None:
    """The room in the lock is bounded: what was cut off there could not be read, and nobody could end his hold."""
    long = house.call("hold", str(house.root), "--plan=p", f"--who={'w' * 5000}")
    assert (long.code, "--who cannot be" in long.answer["error"]) == (1, True)
    assert house.call("hold", str(house.root), f"--plan={'p' * 101}", "--who=w").code == 1
    argv = (*PROGRAM, "hold", str(house.root), f"--plan={PLAN}", f"--who={WHO}")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout and b"held" in process.stdout.readline()
        assert house.call("release", str(house.root), f"--plan={PLAN}", "--within=9").answer == {"free": True}
