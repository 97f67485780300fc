"""Files of a store, and of a folder of dumps, that no version of the program wrote so: no reading falls over them."""

from __future__ import annotations

import fcntl
import io
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runner.agent import clock
from runner.agent.answer import Refused
from runner.agent.frames import Frame, frames
from runner.agent.snapshots.contract import Versions
from runner.agent.snapshots.gather import Gathered
from runner.model.facts import HostFacts
from runner.tools import answers
from tests.contract.storehouse import Storehouse

ONE, TWO = "2026-11-21T010000Z", "2026-11-22T010000Z"


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/far").write_text("far")
    made = Storehouse(root=tmp_path / "store", source=tmp_path / "source")
    assert made.snapshot(ONE).code == 0
    return made


def probe(house: Storehouse, *commands: tuple[str, ...]) -> HostFacts:
    stores = [{"name": name, "path": str(path)} for name, path in (("papio", house.root), ("other", house.source))]
    asked = [{"id": argv[0], "argv": ["runner-agent", *argv], "timeout": 20} for argv in commands]
    given = json.dumps({"host": "papio", "stores": stores, "commands": asked}).encode()
    return msgspec.convert(house.call("probe", given=given).answer, HostFacts, strict=False)


@pytest.mark.parametrize("filesystems", [5, ["/"], [None], [{"mount": "/", "folders": "many"}]])
def test_a_record_that_makes_no_sense_hides_neither_host_nor_other_stores(house: Storehouse, filesystems: Any) -> None:
    (house.root / f".runner/records/{ONE}.json").write_text(json.dumps({"filesystems": filesystems}))
    facts = probe(house)
    assert f"look at {house.root}/.runner" in facts.stores["papio"].problem
    assert not facts.stores["other"].problem


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("files", "x"), ("files", True), ("files", -1), ("added_bytes", [1]), ("added_files", 2**63), ("exceptions", "0"),
        ("sealed", 5), ("sealed", "yesterday"), ("started", {}), ("started", "9999-12-31T23:59:59-14:00"), ("host", 5),
        ("job", ["j"]),
    ],
)  # fmt: skip
def test_a_field_of_another_type_makes_that_record_one_that_cannot_be_read(
    house: Storehouse, key: str, value: Any
) -> None:
    assert house.snapshot(TWO, ONE).code == 0
    path = house.root / f".runner/records/{ONE}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    store = probe(house).stores["papio"]
    damaged, whole = store.sealed
    assert not store.problem
    assert (damaged.recorded, damaged.exceptions, damaged.host, damaged.files) == (True, None, "", None)
    assert whole.exceptions == 0 and whole.files and whole.sealed and whole.started


@pytest.mark.parametrize("more", [{"exceptions_list": 5}, {"exceptions_list": [{"path": "/x"}]}, {"exceptions": [1]}])
def test_a_damaged_record_keeps_no_later_snapshot_from_its_seal(house: Storehouse, more: dict[str, Any]) -> None:
    path = house.root / f".runner/records/{ONE}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    sealed = house.snapshot(TWO, ONE)
    assert (sealed.code, sealed.answer["sealed"]) == (0, TWO)


def test_an_output_nested_too_deep_is_refused() -> None:
    deep = b"[" * 200_000 + b"\n"
    with pytest.raises(Refused, match="stdin is not made of frames"):
        next(frames(io.BytesIO(deep)))
    frame = Frame(io.BytesIO(deep), "a/explain-1", "done", 0, len(deep))
    with pytest.raises(Refused, match="an explanation cannot be read"):
        Gathered(frozenset(), {}).explain(frame, "/")


@pytest.mark.parametrize("since", [5, "x", None])
def test_a_holder_whose_time_is_none_hides_nothing(house: Storehouse, since: Any) -> None:
    with house.held():
        (house.root / ".runner/lock").write_text(json.dumps({"plan": "p", "who": "w", "pid": 1, "since": since}))
        store = probe(house).stores["papio"]
    assert store.holder and (store.holder.who, store.holder.since) == ("w", None)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_beyond_the_calendar_is_no_time(house: Storehouse, at: str) -> None:
    assert clock.moment(at) is None
    (house.root / ".runner/proven.json").write_text(json.dumps({"files": {"snapshot": ONE, "at": at}}))
    assert [each.proven for each in probe(house).stores["papio"].sealed] == [()]


@pytest.mark.parametrize(
    "content", ["[]", '{"2026-11-21T010000Z": 5}', '{"x": {"until": "9999-12-31T23:59:59-14:00", "why": ""}}']
)
def test_pins_that_cannot_be_read_are_not_no_pins(house: Storehouse, content: str) -> None:
    assert probe(house).stores["papio"].unread == ()
    (house.root / ".runner/pins.json").write_text(content)
    store = probe(house).stores["papio"]
    assert store.unread == (str(house.root / ".runner/pins.json"),)
    assert not store.problem and store.sealed


def test_a_trash_that_cannot_be_read_is_not_an_empty_one(house: Storehouse) -> None:
    (house.root / ".trash").rmdir()
    (house.root / ".trash").write_text("not a folder")
    assert probe(house).stores["papio"].unread == (str(house.root / ".trash"),)


def test_what_is_measured_to_be_without_end_is_not_known(house: Storehouse) -> None:
    gain = {"name": ONE, "bytes": float("inf"), "inodes": 1}
    (house.root / ".runner/freed.json").write_text(json.dumps({"sealed": [ONE], "freed": [gain]}))
    assert not probe(house).stores["papio"].problem


def test_a_record_of_a_thousand_lists_in_each_other_is_one_that_cannot_be_read(house: Storehouse) -> None:
    (house.root / f".runner/records/{ONE}.json").write_text("[" * 200_000)
    (sealed,) = probe(house).stores["papio"].sealed
    assert sealed.exceptions is None
    assert "cannot be understood" in house.call("record", str(house.root), ONE).answer["error"]


def test_a_dump_whose_record_makes_no_sense_hides_no_other_reading(house: Storehouse, tmp_path: Path) -> None:
    folder = tmp_path / "dumps/databases/babase"
    folder.mkdir(parents=True)
    (folder / f"{ONE}.dump").write_text("PGDMP")
    (folder / f"{ONE}.json").write_text(json.dumps({"database": "babase", "bytes": 5, "doubts": 5}))
    readings = probe(house, ("dumps", str(tmp_path / "dumps")), ("up",)).readings
    assert readings["dumps"].exit == 1 and "TypeError" in readings["dumps"].out
    assert readings["up"].exit == 0


def test_a_file_from_the_far_future_is_found(house: Storehouse, tmp_path: Path) -> None:
    far = house.root / ONE / "far"
    os.utime(far, ns=(2**63 + 10**9, 2**63 + 10**9))
    if far.stat().st_mtime_ns < 2**63:
        pytest.skip("this filesystem has no such times")
    answer = house.call("find", str(house.root), given=b'{"path": "/far"}').answer
    versions = answers.read(answer, Versions)
    assert versions is not None and versions.versions[0].mtime_ns == 2**63 - 1


def test_a_verb_that_must_wait_says_for_which_lock(house: Storehouse) -> None:
    path = house.root / ".runner/lock"
    with house.held(), path.open("r+b", buffering=0) as verb:
        fcntl.lockf(verb, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 1)
        result = house.call("reap", str(house.root), "--plan", house.plan)
    assert result.code == 75
    assert str(path) in result.answer["error"]
