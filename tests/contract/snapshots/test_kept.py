"""What is kept of a snapshot: its record to the last field, and what begin finds of the one before."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.agent.clock import now
from runner.agent.snapshots.sums import sum_lines
from runner.agent.store.layout import StoreFolder
from tests.compare import differences
from tests.contract.storehouse import Said, Storehouse, frame

ONE, TWO, THREE = "2026-11-21T010000Z", "2026-11-22T010000Z", "2026-11-23T010000Z"


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "one").write_text("one")
    (source / "folder/two").write_bytes(bytes(5000))
    (source / "link").symlink_to("one")
    return Storehouse(root=tmp_path / "store", source=source)


def record(house: Storehouse, name: str) -> dict[str, Any]:
    return dict(house.call("record", str(house.root), name).answer)


def blocks(path: Path) -> int:
    return path.lstat().st_blocks * 512


def test_a_record_says_what_was_told_what_was_sent_and_when_to_the_last_field(house: Storehouse) -> None:
    began = now()
    told = ("--host=papio", "--job=backup", "--started=2026-11-21T01:00:00Z", "--checksum=md5")
    said = house.snapshot(ONE, "", (), *told)
    answer, kept = said.answer, record(house, ONE)
    assert (said.code, 0 <= answer.pop("seconds") < 60) == (0, True)
    room = blocks(house.root / ONE / "one") + blocks(house.root / ONE / "folder/two")
    assert began <= kept.pop("sealed") <= now()
    causes = (
        "unreadable", "attributes", "not mounted", "another filesystem", "too deep", "vanished", "changed", "accepted",
    )  # fmt: skip
    assert re.fullmatch("1:[0-9a-f]{64}", kept.pop("chain")), "its chain began with it"
    assert re.fullmatch("2:[0-9a-f]{64}", answer.pop("head"))
    assert kept == {
        "format": 1, "name": ONE, "host": "papio", "job": "backup", "plan": house.plan,
        "started": "2026-11-21T01:00:00Z", "basis": "", "resumed": [],
        "filesystems": [{"mount": "/", "exit": 0, "files": 5, "size": 5006, "folders": 2}],
        "files": 5, "added_files": 4, "added_bytes": 5003, "added_room": room,
        "exceptions": 0, "exceptions_by_cause": dict.fromkeys(causes, 0), "exceptions_new": 0, "exceptions_list": [],
        "checksum": "md5", "summed": 2, "unsummed": 0, "whole_seconds": False, "instant": None, "machine": "", "older": [],
        "left": [], "shared": 0, "before": "",
    }  # fmt: skip
    assert answer == {
        "sealed": ONE, "files": 5, "added_files": 4, "added_bytes": 5003, "added_room": room, "exceptions": 0,
        "exceptions_new": 0, "vanished": 0, "changed": 0, "accepted": 0, "unsummed": 0, "missed": 0,
    }  # fmt: skip


def test_what_seal_is_not_told_is_what_begin_wrote(house: Storehouse) -> None:
    with house.held():
        assert house.begin(ONE).code == 0
        begun = json.loads((house.root / f".partial/{ONE}.json").read_text())
        assert house.seal(ONE, house.send_all(ONE)).code == 0
    kept = record(house, ONE)
    assert (kept["started"], kept["checksum"], kept["host"]) == (begun["started"], "xxh128", "")


def test_a_snapshot_that_nobody_began_is_not_sealed(house: Storehouse) -> None:
    assert house.snapshot(ONE).code == 0
    with house.held():
        for name in (ONE, TWO):
            assert house.seal(name, b"").answer["error"] == f"there is no partial '{name}'"


def test_begin_finishes_what_a_seal_that_was_cut_off_left_and_nothing_else(house: Storehouse) -> None:
    for before, name in (("", ONE), (ONE, TWO)):
        assert house.snapshot(name, before).code == 0
    with house.held():
        assert house.begin(THREE, TWO).code == 0
    partial, records, latest = house.root / ".partial", house.root / ".runner/records", house.root / "latest"
    (partial / TWO).mkdir()
    (partial / f"{TWO}.json").write_text("{}")
    (house.root / ".incoming" / TWO / "0").mkdir(parents=True)
    (records / "torn.tmp").write_text("torn")
    latest.unlink()
    latest.symlink_to(ONE)
    with house.held():
        assert house.begin("2026-11-24T010000Z", TWO, (THREE,)).code == 0
    assert str(latest.readlink()) == TWO
    assert {path.name for path in partial.iterdir()} == {
        "parts", "2026-11-24T010000Z", "2026-11-24T010000Z.json",
    }  # fmt: skip
    assert [path.name for path in (house.root / ".incoming").iterdir()] == ["2026-11-24T010000Z"]
    assert {path.name for path in (house.root / ".trash").iterdir()} >= {TWO}
    assert house.begun("2026-11-24T010000Z")["resumed"] == [THREE]
    assert not list(records.glob("*.tmp"))
    # Two records, two lists of checksums, and what the second lacks of the first.
    assert len(list(records.iterdir())) == 5


def test_every_folder_that_is_made_is_for_its_owner_alone(house: Storehouse) -> None:
    before = os.umask(0)
    try:
        assert house.snapshot(ONE).code == 0
        with house.held():
            assert house.begin(TWO, ONE, points=("/", "/srv/data")).code == 0
    finally:
        os.umask(before)
    sealed = ("latest", ONE, f"{ONE}/folder")
    known = (path for path in house.root.rglob("*") if path.is_dir())
    made = [house.root, *(path for path in known if str(path.relative_to(house.root)) not in sealed)]
    assert {path.name for path in made} >= {".partial", "parts", ".incoming", TWO, "0", "1", ".runner", "records"}
    assert {path.name: path.stat().st_mode & 0o7777 for path in made} == {path.name: 0o700 for path in made}


def test_a_link_with_the_name_of_a_snapshot_is_none(house: Storehouse) -> None:
    for before, name in (("", ONE), (ONE, TWO)):
        assert house.snapshot(name, before).code == 0
    (house.root / TWO).rename(house.root / "elsewhere")
    (house.root / TWO).symlink_to("elsewhere")
    (house.root / THREE).write_text("no folder")
    (house.root / f".runner/records/{THREE}.json").write_text("{}")
    counts = house.call("newest", str(house.root)).answer
    assert (counts["newest"], counts["sealed"]) == (ONE, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_where_there_is_no_number_of_inodes_all_of_them_are_free(tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", "nr_inodes=0,size=16m", "tmpfs", mount), check=True)
    try:
        (mount / "half").write_bytes(bytes(8 << 20))
        counts = Storehouse(root=mount / "store", source=tmp_path).call("newest", f"{mount}/store").answer
    finally:
        subprocess.run(("umount", mount), check=True)
    assert (counts["free_inodes"], counts["free_inodes_percent"]) == (0, 100)
    assert (counts["free_bytes"], counts["free_percent"]) == (8 << 20, 50)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to see every call")
def test_what_is_sealed_is_on_the_disk_before_its_name_and_its_name_before_what_it_supersedes_goes(
    house: Storehouse, tmp_path: Path
) -> None:
    with house.held():
        assert (house.begin(ONE).code, house.send(ONE).code) == (0, 0)
        assert house.begin(TWO, resume=(ONE,)).code == 0
        trace = tmp_path / "trace"
        around = ("strace", "-qq", "-y", "-o", str(trace), "--trace=syncfs,fsync,rename,renameat,renameat2")
        assert house.seal(TWO, house.send_all(TWO), around=around).code == 0
    seen = re.findall(r"^(\w+)\((.*)\) += 0$", trace.read_text(), re.MULTILINE)
    places = [Path(re.findall(r'[<"]([^<>"]+)[>"]', about)[-1]).name for _, about in seen]
    calls = [f"{name} {place}" for (name, _), place in zip(seen, places, strict=True)]
    store, kept = house.root.name, calls.index(f"rename {TWO}.json")
    # It is given its name, and then what it was received in, with what it did not take up of that, goes to the trash.
    named, trash = (number for number, call in enumerate(calls) if call == f"rename {TWO}")
    assert calls[:kept].count(f"syncfs {store}") == 1
    assert calls[kept + 1 : named] == ["fsync records", "fsync .runner", "fsync chain"]
    assert calls[named + 1 :][0] == f"fsync {store}"
    assert named < trash < calls.index("fsync .partial", trash)
    assert calls[-1] == f"syncfs {store}"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
@pytest.mark.parametrize(
    ("kind", "options", "same_boot", "torn"),
    [
        ("ext2", "loop", False, True),
        ("ext3", "loop,data=writeback", False, True),
        ("ext3", "loop,data=writeback", True, False),
        ("ext3", "loop", False, False),
    ],
)
def test_what_a_power_cut_may_have_torn_is_not_taken_for_what_was_sent(
    house: Storehouse, tmp_path: Path, kind: str, options: str, same_boot: bool, torn: bool
) -> None:
    """Such a disk may have a file's size and time, and not its content: rsync would keep it."""
    mount, image = tmp_path / "mount", tmp_path / "image"
    mount.mkdir()
    with image.open("wb") as stream:
        stream.truncate(16 << 20)
    subprocess.run(("mke2fs", "-q", "-t", kind, image), check=True)
    subprocess.run(("mount", "-o", options, image, mount), check=True)
    try:
        there = replace(house, root=mount / "store")
        with there.held():
            assert (there.begin(ONE).code, there.send(ONE).code) == (0, 0)
        begun = there.root / f".partial/{ONE}.json"
        if not same_boot:
            begun.write_text(json.dumps({**json.loads(begun.read_text()), "boot": "another"}))
        with there.held():
            assert there.begin(TWO, resume=(ONE,)).code == 0
            assert (there.root / f".incoming/{TWO}/0/one").exists() == (not torn)
            assert (there.root / f".trash/{ONE}/0/one").exists() == torn
            made = (".trash", f".incoming/{TWO}", f".partial/{TWO}/0")
            assert {path: (there.root / path).stat().st_mode & 0o7777 for path in made} == dict.fromkeys(made, 0o700)
            assert there.seal(TWO, there.send_all(TWO)).code == 0
        assert not differences(there.source, there.root / TWO)
    finally:
        subprocess.run(("umount", mount), check=True)


def walked(house: Storehouse, *lines: dict[str, object]) -> Said:
    """The answer of a seal whose count says this."""
    with house.held():
        assert house.begin(ONE).code == 0
        given = frame("send", house.send(ONE))
        given += frame("walk", Said(code=0, out=b"".join(json.dumps(line).encode() + b"\n" for line in lines)))
        words = (str(house.root), ONE, f"--plan={house.plan}", "--transfer=send=/", "--walked=walk=/")
        assert house.compose(ONE).code == 0
        return house.call("seal", *words, given=given)


def test_a_count_that_ends_with_a_name_is_cut_off(house: Storehouse) -> None:
    cut = {"path": "folder", "cause": "too deep", "error": 0, "names": 1}
    assert "is cut off" in walked(house, cut).answer["error"]


def test_a_count_that_ends_with_the_sum_is_whole(house: Storehouse) -> None:
    assert walked(house, {"names": 5, "young": 0}).code == 0


@pytest.mark.parametrize(
    ("path", "names", "first"), [(".", 3, "not known"), (".", 4, "/."), ("gone", 1, "/gone"), ("one", 1, "/one")]
)
def test_a_folder_lacks_some_where_fewer_names_are_in_the_copy(
    house: Storehouse, path: str, names: int, first: str
) -> None:
    whole = {"path": "folder", "cause": "counted", "errno": 0, "names": 1}
    refused = walked(house, whole, {**whole, "path": path, "names": names}, {"names": 99, "young": 0})
    assert refused.answer["error"] == (
        "rsync saw 5 names of /, and 99 were there before it began: "
        f"the first folder of which some are missing is {first}"
    )


@pytest.mark.parametrize("told", ["", "--kept={}=/other", "--kept={}x=/"])
def test_an_output_of_which_nobody_says_where_it_belongs_only_costs_checksums(house: Storehouse, told: str) -> None:
    with house.held():
        assert house.begin(ONE).code == 0
        sent = house.send(ONE)
    key = f"kept:papio/{ONE}/0"
    house.kept[key] = frame(key, sent)
    said = house.snapshot(TWO, "", (ONE,), *([told.format(key)] if told else []))
    assert (said.code, said.answer["unsummed"], said.answer["added_files"]) == (0, 2, 4)
    assert "see docs/store.md" in house.call("seal", str(house.root), THREE, "--plan=x", "--kept=x").answer["do"]


def test_what_was_sent_and_then_became_a_link_has_the_checksum_of_what_it_is_linked_to(house: Storehouse) -> None:
    assert house.snapshot(ONE).code == 0
    for name in ("a", "b"):
        (house.source / name).write_bytes(os.urandom(5000))
    with house.held():
        assert house.begin(TWO, ONE).code == 0
        assert house.clone(TWO, ONE).code == 0
        names = house.listed(TWO, ONE)
        sent = house.send_listed(TWO, ONE, names)
        # Of the same size: what was sent for it does not show by that.
        (house.source / "b").unlink()
        (house.source / "b").hardlink_to(house.source / "a")
        again = house.send_again(TWO, names)
        assert b"b// => a" in again.out
        settled = house.settle(TWO, names)
        assert house.compose(TWO, frame("settle", settled) + frame("list", names)).code == 0
        sealed = house.seal(TWO, frame("send", again) + frame("settle", settled) + frame("first", sent))
        assert sealed.code == 0, sealed
    assert (house.root / TWO / "a").samefile(house.root / TWO / "b")
    assert [line.path for line in sum_lines(StoreFolder(house.root), TWO)] == [b"a"]
