"""Files of a store, and of a folder of dumps, that no version of the program wrote so: no reading falls over them."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runner.agent import clock
from runner.agent.answer import Refused
from runner.agent.compose.copies import Copy
from runner.agent.compose.missed import MissedNames
from runner.agent.database.contract import DumpListing
from runner.agent.frames import Frame, frames, json_lines
from runner.agent.rsync_lines import sent
from runner.agent.snapshots.contract.find import Versions
from runner.agent.snapshots.gather import Gathered
from runner.agent.snapshots.sums import Sums, sum_lines
from runner.agent.store import disk
from runner.agent.store.inspect import inspect_store
from runner.agent.store.layout import StoreFolder
from runner.model.facts import HostFacts
from runner.tools import answers
from tests.contract.storehouse import Storehouse, copied

pytestmark = pytest.mark.long

ONE, TWO = "2026-11-21T010000Z", "2026-11-22T010000Z"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    """A store of one snapshot, which every test has a copy of."""
    folder = tmp_path_factory.mktemp("ready")
    (folder / "source").mkdir()
    (folder / "source/far").write_text("far")
    made = Storehouse(root=folder / "store", source=folder / "source")
    assert made.snapshot(ONE).code == 0
    return made


@pytest.fixture(scope="module")
def ready_again(ready: Storehouse, tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    """The same with a second snapshot."""
    made = copied(ready, tmp_path_factory.mktemp("again") / "house")
    assert made.snapshot(TWO, ONE).code == 0
    return made


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


@pytest.fixture
def two(ready_again: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready_again, tmp_path / "two")


def probe(house: Storehouse, *commands: tuple[str, ...]) -> HostFacts:
    stores = [{"name": name, "path": str(path)} for name, path in (("papio", house.root), ("other", house.source))]
    asked = [{"id": argv[0], "argv": ["runner-agent", *argv], "timeout": 20} for argv in commands]
    given = json.dumps({"host": "papio", "stores": stores, "commands": asked}).encode()
    return msgspec.convert(house.call("probe", given=given).answer, HostFacts, strict=False)


@pytest.mark.parametrize(
    "filesystems",
    [
        5, ["/"], [None], [{"mount": "/", "folders": "many"}], [{"mount": "../../etc"}], [{"mount": "--help"}],
        [{"mount": "/", "folders": -1}], {"mount": "/"},
    ],
)  # fmt: skip
def test_a_record_that_makes_no_sense_hides_neither_its_store_nor_other_snapshots(
    two: Storehouse, filesystems: Any
) -> None:
    (two.root / f".runner/records/{ONE}.json").write_text(json.dumps({"filesystems": filesystems}))
    store = probe(two).stores["papio"]
    assert not store.problem
    assert [(each.filesystems, each.exceptions) for each in store.sealed] == [((), None), (("/",), 0)]


@pytest.mark.parametrize(
    "name", ["9999-12-31T235959Z", "0000-01-01T000000Z", "2026-02-30T000000Z", "2100-01-01T000000Z"]
)
def test_a_folder_that_is_called_as_no_day_is_no_snapshot(house: Storehouse, name: str) -> None:
    (house.root / name).mkdir()
    (house.root / ".partial" / name).mkdir()
    (house.root / f".runner/records/{name}.json").write_text((house.root / f".runner/records/{ONE}.json").read_text())
    store = probe(house).stores["papio"]
    assert [each.name for each in store.sealed] == [ONE] and not store.partials
    assert house.call("newest", str(house.root)).answer["newest"] == ONE
    assert house.snapshot(TWO, ONE).code == 0


@pytest.mark.parametrize(
    "begun",
    [{"filesystems": 5}, {"filesystems": ["../../etc"]}, {"basis": "../..", "filesystems": ["/"]}, {"basis": 5}],
)
def test_what_a_partial_was_begun_from_is_believed_whole_or_not_at_all(house: Storehouse, begun: Any) -> None:
    with house.held():
        assert house.begin(TWO, ONE).code == 0
    (house.root / f".partial/{TWO}.json").write_text(json.dumps(begun))
    store = probe(house).stores["papio"]
    assert not store.problem
    assert [(each.name, each.basis, each.filesystems) for each in store.partials] == [(TWO, "", ())]


@pytest.mark.parametrize("text", ["[" * 200_000, "5", '{"uuid": 5}', '{"uuid": "x --evil"}', "\0"])
def test_a_record_of_its_disk_that_cannot_be_read_is_not_a_store_without_one(tmp_path: Path, text: str) -> None:
    store = StoreFolder(tmp_path)
    store.runner.mkdir()
    assert disk._marked(store) == ""
    (store.runner / "disk.json").write_text(text)
    with pytest.raises(Refused, match=r"disk\.json cannot be understood"):
        disk._marked(store)
    (store.runner / "disk.json").write_text('{"uuid": "AB-1"}')
    assert disk._marked(store) == "ab-1"


def test_a_pin_for_ever_is_told_as_long_as_there_are_days(house: Storehouse) -> None:
    pin = {ONE: {"until": "9999-12-31T23:59:59Z", "why": "the paper"}}
    (house.root / ".runner/pins.json").write_text(json.dumps(pin))
    (sealed,) = probe(house).stores["papio"].sealed
    assert sealed.pinned_until and sealed.pinned_until.year == 2099


def test_a_size_of_any_number_of_digits_is_no_checksum(house: Storehouse) -> None:
    path = house.root / f".runner/records/{ONE}.sums.gz"
    path.write_bytes(gzip.compress(b"aa " + b"5" * 5000 + b" far\n"))
    assert list(sum_lines(StoreFolder(house.root), ONE)) == []
    line = b">f+++++++++|" + b"a" * 32 + b"|" + b"5" * 5000 + b"|far//\n"
    assert sent(line) is None and sent(line.replace(b"5" * 5000, b"5"))


def test_whatever_a_verb_cannot_understand_is_a_refusal_of_one_line(house: Storehouse) -> None:
    refused = house.call("db-fits", given=b'{"database": 5, "dump": [], "sha256": {}, "bytes": "x"}')
    assert refused.code == 1 and "\n" not in refused.answer["error"] and refused.err == b""
    refused = house.call("proven", str(house.root), "files", ONE, "--at", "2026-11-21T01:00:00Z", given=b"[" * 9)
    assert refused.code == 1 and refused.err == b"" and refused.answer["error"]


@pytest.mark.parametrize("line", [b"[" * 100_000, b"5", b"", b"{", b'{"a": ' + b"5" * 5000 + b"}"])
def test_a_line_of_another_step_that_is_no_object_is_refused(line: bytes) -> None:
    head = json.dumps({"from": "x/sample", "state": "done", "exit": 0, "bytes": len(line) + 1}).encode()
    with pytest.raises(Refused, match="a line of 'x/sample' cannot be read"):
        list(json_lines(io.BytesIO(head + b"\n" + line + b"\n\n")))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("files", "x"), ("files", True), ("files", -1), ("added_bytes", [1]), ("added_files", 2**63), ("exceptions", "0"),
        ("sealed", 5), ("sealed", "yesterday"), ("started", {}), ("started", "9999-12-31T23:59:59-14:00"), ("host", 5),
        ("job", ["j"]),
    ],
)  # fmt: skip
def test_a_field_of_another_type_makes_that_record_one_that_cannot_be_read(
    two: Storehouse, key: str, value: Any
) -> None:
    path = two.root / f".runner/records/{ONE}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    store = probe(two).stores["papio"]
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


@pytest.mark.parametrize(("lines", "fits"), [(3, True), (4, False)])
def test_an_output_that_says_more_names_than_a_disk_can_have_is_refused(tmp_path: Path, lines: int, fits: bool) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/x").touch()
    content = (b"<f+++++++++|" + b"0" * 32 + b"|0|x//\n") * lines
    gathered, written = Gathered(MissedNames(frozenset()), {"/": Copy(tmp_path / "tree", (), None)}), io.BytesIO()
    gathered.most = 3
    frame = Frame(io.BytesIO(content), "t", "done", 0, len(content))
    with contextlib.nullcontext() if fits else pytest.raises(Refused, match="than the disk can have"):
        gathered.kept(frame, "/", Sums(written, lambda: None))
    assert written.getvalue().count(b"\n") == 3


@pytest.mark.parametrize("look", [{}, {"look_exit": None}, {"look_exit": "0"}, {"look_exit": 5}, {"look_exit": True}])
def test_an_explanation_that_does_not_say_how_the_look_ended_is_cut_off(look: dict[str, Any]) -> None:
    line = json.dumps({"counts": {}, **look}).encode() + b"\n"
    frame = Frame(io.BytesIO(line), "a/explain-1", "done", 0, len(line))
    with pytest.raises(Refused, match="the explanation for / is cut off"):
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
    (house.root / ".trash").write_text("not a folder")
    assert probe(house).stores["papio"].unread == (str(house.root / ".trash"),)


# What of a store's own folder cannot be read, by its content (None: it is a folder), and whether it holds snapshots back.
UNREADABLE = (
    ("floor.json", "[]", True), ("floor.json", None, True), ("proven.json", "[]", True), ("proven.json", None, True),
    ("proven.json", '{"files": {"snapshot": "x"}}', True), ("pins.json", None, True), (f"records/{TWO}.sums.gz", None, True),
    (f"records/{TWO}.json", None, True), ("records/stray", None, False), (f"records/{ONE}.owed", "[]", False),
    ("freed.json", None, False), ("audit.json", None, False),
)  # fmt: skip


def test_only_what_may_say_that_a_snapshot_has_to_stay_keeps_one_from_expiring(house: Storehouse) -> None:
    for name, content, holds in UNREADABLE:
        path = house.root / ".runner" / name
        assert not path.exists()
        path.mkdir() if content is None else path.write_text(content)
        store = inspect_store({"path": str(house.root)})
        assert (store.unread, store.odd) == (((str(path),), ()) if holds else ((), (str(path),))), name
        path.rmdir() if content is None else path.unlink()


def test_what_is_measured_to_be_without_end_is_not_known(house: Storehouse) -> None:
    gain = {"name": ONE, "bytes": float("inf"), "inodes": 1}
    (house.root / ".runner/freed.json").write_text(json.dumps({"sealed": [ONE], "freed": [gain]}))
    assert not probe(house).stores["papio"].problem


def test_a_record_of_a_thousand_lists_in_each_other_is_one_that_cannot_be_read(house: Storehouse) -> None:
    (house.root / f".runner/records/{ONE}.json").write_text("[" * 200_000)
    (sealed,) = probe(house).stores["papio"].sealed
    assert sealed.exceptions is None
    assert "cannot be understood" in house.call("record", str(house.root), ONE).answer["error"]


@pytest.mark.parametrize(
    "damage",
    [{"doubts": 5}, {"took": "long"}, {"took": 1e999}, {"objects": -1}, {"tables": ["a"]}, {"tables": {"a": "b"}}, {"doubts": [5]}],
)  # fmt: skip
def test_a_dump_whose_record_makes_no_sense_does_not_count_and_hides_no_other(
    house: Storehouse, tmp_path: Path, damage: dict[str, Any]
) -> None:
    folder = tmp_path / "dumps/databases/babase"
    folder.mkdir(parents=True)
    for name, more in ((ONE, damage), (TWO, {"took": 1.5})):
        (folder / f"{name}.dump").write_text("PGDMP")
        (folder / f"{name}.json").write_text(json.dumps({"database": "babase", "bytes": 5, **more}))
    readings = probe(house, ("dumps", str(tmp_path / "dumps")), ("up",)).readings
    listing = answers.read(readings["dumps"].out, DumpListing)
    assert listing and [row.time for row in listing.databases["babase"]] == [TWO]
    assert listing.odd == (f"babase/{ONE}.dump", f"babase/{ONE}.json")
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
