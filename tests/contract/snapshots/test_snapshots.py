"""A snapshot from begin to seal: sharing, resuming, exceptions, and what is refused."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.agent.clock import now
from runner.agent.rsync_lines import unescaped
from tests.compare import differences, fingerprint
from tests.contract.storehouse import NOBODY, Said, Storehouse, execute, frame
from tests.file_clock import outrun_now
from tests.trees import change_tree, make_tree

ONE, TWO, THREE = "2026-11-21T010000Z", "2026-11-22T010000Z", "2026-11-23T010000Z"


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    source = tmp_path / "source"
    source.mkdir()
    (source / "same").write_text("stays the same")
    (source / "folder").mkdir()
    (source / "folder/log").write_text("first")
    return Storehouse(root=tmp_path / "store", source=source)


@pytest.fixture
def theirs() -> Iterator[Storehouse]:
    """A store and a source of somebody who is not root, so that permissions count."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    with tempfile.TemporaryDirectory(prefix="storehouse-") as folder:
        top = Path(folder)
        (top / "source").mkdir()
        for path in (top, top / "source"):
            os.chown(path, 65534, 65534)
        yield Storehouse(root=top / "store", source=top / "source", before=NOBODY)


def record(house: Storehouse, name: str) -> dict[str, Any]:
    return json.loads((house.root / ".runner/records" / f"{name}.json").read_bytes())


def sums(house: Storehouse, name: str) -> dict[bytes, bytes]:
    lines = gzip.decompress((house.root / ".runner/records" / f"{name}.sums.gz").read_bytes()).splitlines()
    return {unescaped(line.split(b" ", 2)[2]): line.split(b" ", 2)[0] for line in lines}


def test_the_first_snapshot_is_sealed_with_its_record_checksums_and_link(house: Storehouse) -> None:
    result = house.snapshot(ONE, "", (), "--host", "papio", "--job", "backup-papio")
    assert result.code == 0
    assert result.answer["sealed"] == ONE
    assert result.answer["files"] == 4
    assert (result.answer["added_files"], result.answer["added_bytes"]) == (3, 19)
    assert (house.root / "latest").readlink() == Path(ONE)
    assert not differences(house.source, house.root / ONE)
    written = record(house, ONE)
    assert (written["host"], written["basis"], written["summed"], written["exceptions"]) == ("papio", "", 2, 0)
    assert "rsync" in (house.root / ".runner/README.txt").read_text()
    xxh = execute(("xxhsum", "-H2", str(house.source / "same"))).out.split()[0]
    assert sums(house, ONE)[b"same"] == xxh
    assert not any((house.root / ".partial").glob("2*"))


def test_the_second_snapshot_shares_what_is_unchanged_and_touches_nothing_older(house: Storehouse) -> None:
    house.snapshot(ONE)
    before = fingerprint(house.root / ONE)
    (house.source / "folder/log").write_text("second")
    (house.source / "same").chmod(0o600)
    (house.source / "new").write_text("new")
    result = house.snapshot(TWO, ONE)
    assert result.code == 0
    assert fingerprint(house.root / ONE) == before
    assert not differences(house.source, house.root / TWO)
    (house.source / "same").chmod(0o644)
    assert house.snapshot(THREE, TWO).answer["added_files"] == 1
    assert (house.root / TWO / "new").stat().st_ino == (house.root / THREE / "new").stat().st_ino


def test_a_hostile_tree_arrives_whole_and_its_checksums_name_it_exactly(tmp_path: Path) -> None:
    make_tree(tmp_path / "source", files=60)
    house = Storehouse(root=tmp_path / "store", source=tmp_path / "source")
    assert house.snapshot(ONE).code == 0
    assert not differences(house.source, house.root / ONE)
    for name in sums(house, ONE):
        assert os.path.lexists(os.fsencode(house.root / ONE) + b"/" + name)
    assert b"odd/new\nline" in sums(house, ONE)
    assert record(house, ONE)["unsummed"] == 0


def test_an_interrupted_snapshot_is_taken_up_and_superseded(house: Storehouse) -> None:
    house.snapshot(ONE)
    older = fingerprint(house.root / ONE)
    (house.source / "big").write_bytes(os.urandom(300_000))
    with house.held():
        assert house.begin(TWO, ONE).code == 0
        cut = house.cut_off(TWO, ONE)
        broken = house.compose(TWO, frame("list", cut, "interrupted"))
        assert (broken.code, broken.answer["again"]) == (1, True)
        assert "not known to its end" in broken.answer["error"]
    (house.source / "folder/log").write_text("later")
    (house.source / "same").unlink()
    result = house.snapshot(THREE, ONE, (TWO,))
    assert result.code == 0, result.out
    assert set(sums(house, THREE)) == {b"big", b"folder/log"}
    assert (record(house, THREE)["unsummed"], record(house, THREE)["resumed"]) == (0, [TWO])
    assert {path.name for path in house.root.iterdir() if path.name.startswith("2")} == {ONE, THREE}
    assert [path.name for path in (house.root / ".partial").iterdir()] == ["parts"]
    assert list((house.root / ".incoming").iterdir()) == []
    assert not differences(house.source, house.root / THREE)
    assert fingerprint(house.root / ONE) == older


def test_what_was_sent_whole_is_not_sent_again_and_keeps_its_checksums(house: Storehouse) -> None:
    (house.source / "big").write_bytes(os.urandom(300_000))
    with house.held():
        assert house.begin(TWO).code == 0
        cut = house.send(TWO)
        assert "not whole" in house.seal(TWO, frame("send", replace(cut, code=20), "interrupted")).answer["error"]
    # It refused after all had been moved to its place.
    inode = (house.root / ".partial" / TWO / "0/big").stat().st_ino
    (house.source / "folder/log").write_text("later")
    (house.source / "same").unlink()
    key = f"kept:papio/{TWO}/0"
    house.kept[key] = frame(key, replace(cut, code=20), "interrupted")
    result = house.snapshot(THREE, "", (TWO,), f"--kept={key}=/")
    assert result.code == 0, result.out
    assert (house.root / THREE / "big").stat().st_ino == inode
    assert set(sums(house, THREE)) == {b"big", b"folder/log"}
    assert (record(house, THREE)["unsummed"], record(house, THREE)["added_files"]) == (0, 3)
    assert not differences(house.source, house.root / THREE)


def test_files_taken_from_a_partial_whose_output_is_lost_are_counted_as_unsummed(house: Storehouse) -> None:
    with house.held():
        house.begin(ONE)
        house.send(ONE)
    assert house.snapshot(TWO, "", (ONE,)).answer["unsummed"] == 2


@pytest.mark.parametrize("cuts", [("special", "links"), ("links/z", "odd", "plain")])
def test_what_is_new_counts_the_same_whichever_transfer_brought_it(tmp_path: Path, cuts: Sequence[str]) -> None:
    make_tree(tmp_path / "source", files=60)
    names = [f"2026-11-2{day}T020000Z" for day in range(2, 3 + len(cuts))]
    at_once, resumed = (Storehouse(root=tmp_path / each, source=tmp_path / "source") for each in ("once", "resumed"))
    assert (at_once.snapshot(ONE).code, resumed.snapshot(ONE).code) == (0, 0)
    change_tree(tmp_path / "source", seed=3)
    (tmp_path / "source/new folder").mkdir()
    (tmp_path / "source/new folder/half").write_bytes(os.urandom(3 << 20))
    (tmp_path / "source/new folder/twin").hardlink_to(tmp_path / "source/new folder/half")
    for number, cut in enumerate(cuts):
        with resumed.held():
            assert resumed.begin(names[number], ONE, names[:number][-1:]).code == 0
            assert resumed.cut_off(names[number], ONE, (f"./{cut}/".encode(),)).code == 0
    last = resumed.snapshot(names[-1], ONE, names[:-1][-1:])
    assert last.code == 0, last.out
    whole = at_once.snapshot(names[-1], ONE).answer
    keys = ("files", "added_files", "added_bytes", "added_room")
    assert {key: last.answer[key] for key in keys} == {key: whole[key] for key in keys}
    kept = record(resumed, names[-1])
    assert (kept["added_files"], kept["added_bytes"]) == (whole["added_files"], whole["added_bytes"])


def test_a_file_that_vanishes_during_the_transfer_is_no_exception(house: Storehouse) -> None:
    (house.source / "a-slow-one").write_bytes(os.urandom(400_000))
    (house.source / "z-gone").write_text("soon gone")
    since = now()
    with house.held():
        house.begin(ONE)
        with subprocess.Popen(("sh", "-c", 'sleep 0.5; rm "$0"', house.source / "z-gone")):
            sent = house.send(ONE, extra=("--bwlimit=300",))
        assert sent.code == 24
        explained = house.explain(house.differ(ONE, f".incoming/{ONE}/0"), since)
        result = house.seal(ONE, frame("send", sent) + frame("explain", explained), "--explained", "explain=/")
    assert result.code == 0, result.out
    assert result.answer["exceptions"] == 0


def test_unreadable_files_and_folders_are_exceptions_and_known_ones_are_not_new(theirs: Storehouse) -> None:
    for folder in ("closed", "open"):
        (theirs.source / folder).mkdir()
        (theirs.source / folder / "file").write_text("secret")
    (theirs.source / "open/unreadable").write_text("secret")
    for path in theirs.source.rglob("*"):
        os.chown(path, 65534, 65534)
    (theirs.source / "closed").chmod(0)
    (theirs.source / "open/unreadable").chmod(0)
    outrun_now()
    since = now()
    with theirs.held():
        assert theirs.begin(ONE).code == 0
        sent = theirs.send(ONE)
        assert sent.code == 23
        explained = theirs.explain(theirs.differ(ONE, f".incoming/{ONE}/0"), since)
        assert {line["path"]: line["cause"] for line in explained.lines[:-1]} == {"open/unreadable": "unreadable"}
        assert [(line["path"], line["cause"]) for line in theirs.walk().lines[:-1]] == [("closed", "unreadable")]
        result = theirs.seal(ONE, frame("send", sent) + frame("explain", explained), "--explained", "explain=/")
    assert result.code == 0, result.out
    assert (result.answer["exceptions"], result.answer["exceptions_new"]) == (2, 2)
    with theirs.held():
        assert theirs.begin(TWO, ONE).code == 0
        result = theirs.seal(TWO, theirs.send_all(TWO, ONE, (23,)))
    assert result.code == 0, result.out
    assert (result.answer["exceptions"], result.answer["exceptions_new"]) == (2, 0)
    causes = {(each["path"], each["cause"]) for each in record(theirs, TWO)["exceptions_list"]}
    assert causes == {("/closed", "unreadable"), ("/open/unreadable", "unreadable")}


def test_what_went_since_an_interruption_is_gone_though_something_else_cannot_be_read(theirs: Storehouse) -> None:
    for name in ("gone", "stays", "unreadable"):
        (theirs.source / name).write_text(name)
        os.chown(theirs.source / name, 65534, 65534)
    (theirs.source / "unreadable").chmod(0)
    since = now()
    with theirs.held():
        assert theirs.begin(ONE).code == 0
        assert theirs.send(ONE).code == 23
    (theirs.source / "gone").unlink()
    with theirs.held():
        assert theirs.begin(TWO, "", (ONE,)).code == 0
        sent = theirs.send(TWO)
        assert sent.code == 23
        explained = theirs.explain(theirs.differ(TWO, f".incoming/{TWO}/0"), since)
        result = theirs.seal(TWO, frame("send", sent) + frame("explain", explained), "--explained", "explain=/")
    assert (result.code, result.answer["exceptions"]) == (0, 1), result.out
    assert {path.name for path in (theirs.root / TWO).iterdir()} == {"stays"}


def test_what_nobody_can_explain_is_not_sealed_and_says_which_names(house: Storehouse) -> None:
    (house.source / "No space left on device (28)").write_text("only a name")
    outrun_now()
    since = now()
    with house.held():
        house.begin(ONE)
        sent = house.send(ONE)
        (house.root / ".incoming" / ONE / "0/No space left on device (28)").unlink()
        (house.root / ".incoming" / ONE / "0/same").write_text("torn on the disk")
        explained = house.explain(house.differ(ONE, f".incoming/{ONE}/0"), since)
        assert explained.answer["counts"]["unexplained"] == 2
        damaged = frame("send", Said(code=23, out=sent.out))
        result = house.seal(ONE, damaged + frame("explain", explained), "--explained", "explain=/")
        assert result.code == 1
        assert result.answer["error"] == (
            "2 names of '/' are missing or differ for no reason that the source shows, such as "
            "'/No space left on device (28)', '/same'"
        )
        assert house.seal(ONE, damaged, "--explained", "explain=/").code == 1
        # Where something changed too, that is likelier than the disk.
        line = {"path": "grown", "item": "", "cause": "changed", "errno": 0}
        counts = {**explained.answer, "counts": {**explained.answer["counts"], "changed": 1}}
        lines = [*explained.out.splitlines()[:-1], json.dumps(line).encode(), json.dumps(counts).encode(), b""]
        busy = frame("explain", Said(code=0, out=b"\n".join(lines)))
        result = house.seal(ONE, damaged + busy, "--explained", "explain=/")
        assert result.answer["error"].endswith("'/same'; 1 changed there meanwhile")
        assert result.answer["do"].startswith("run the job again when less changes there; if this stays, look at the")
    assert (house.root / ".partial" / ONE).is_dir()
    assert not (house.root / ONE).exists()


def test_every_cause_is_told_from_the_file_itself_and_not_from_its_name(house: Storehouse) -> None:
    for name in ("grown", "gone", "attribute", "*deleting   all", "new\nline"):
        (house.source / name).write_text("text")
    with house.held():
        house.begin(ONE)
        house.send(ONE)
    outrun_now()
    (house.root / ".incoming" / ONE / "0/attribute").chmod(0o600)
    (house.root / ".incoming" / ONE / "0/*deleting   all").write_text("other text")
    (house.root / ".incoming" / ONE / "0/new\nline").unlink()
    since = now()
    outrun_now()
    (house.source / "grown").write_text("longer text")
    (house.source / "gone").unlink()
    explained = house.explain(house.differ(ONE, f".incoming/{ONE}/0"), since)
    assert {line["path"]: line["cause"] for line in explained.lines[:-1] if line["path"] != "."} == {
        "grown": "changed",
        "gone": "vanished",
        "attribute": "attributes",
        "*deleting   all": "unexplained",
        "new\nline": "unexplained",
    }


@pytest.mark.parametrize("cut", [1, 40, 120])
def test_a_cut_off_frame_seals_nothing(house: Storehouse, cut: int) -> None:
    with house.held():
        house.begin(ONE)
        whole = frame("send", house.send(ONE))
        result = house.seal(ONE, whole[:-cut])
    assert result.code == 1
    assert not (house.root / ONE).exists()


def test_a_missing_or_empty_source_is_not_sealed(house: Storehouse) -> None:
    with house.held():
        house.begin(ONE)
        shutil.rmtree(house.source)
        sent = house.send(ONE)
        assert house.explain(house.differ(ONE, f".incoming/{ONE}/0"), now()).code == 1
        assert house.seal(ONE, frame("send", sent)).code == 1
        assert house.seal(ONE, b"").code == 1
        assert house.seal(ONE, frame("send", Said(code=0, out=sent.out))).code == 1
    assert not (house.root / ONE).exists()


def test_begin_refuses_a_store_that_is_not_as_the_plan_saw_it(house: Storehouse) -> None:
    house.snapshot(TWO)
    with house.held():
        stale = house.begin(THREE, "")
        assert (stale.code, stale.answer["stale"]) == (77, True)
        assert "newest snapshot is" in stale.answer["error"]
        assert "not later" in house.begin(ONE, TWO).answer["error"]
        assert "name cannot be 'today'" in house.begin("today", TWO).answer["error"]
        assert house.begin(THREE, TWO, points=("/", "/srv/../..")).code == 1
        assert house.begin(THREE, TWO, resume=(ONE,)).code == 77
        assert house.begin(THREE, TWO, points=("/", "/srv/data")).code == 0
        assert {path.name for path in (house.root / ".partial" / THREE).iterdir()} == {"0", "1"}
        assert house.begin("2026-11-24T010000Z", TWO).code == 77
        assert "filesystems" in house.seal(THREE, b"").answer["error"]


@pytest.mark.parametrize("folder", [".incoming", ".trash"])
def test_begin_refuses_a_store_of_which_a_folder_is_a_link(house: Storehouse, tmp_path: Path, folder: str) -> None:
    house.snapshot(TWO)
    place = house.root / folder
    shutil.rmtree(place, ignore_errors=True)
    (tmp_path / "elsewhere").mkdir()
    place.symlink_to(tmp_path / "elsewhere")
    with house.held():
        refused = house.begin(THREE, TWO)
    assert refused.code == 1 and str(place) in refused.answer["error"], refused
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_where_nothing_is_listed_no_transfer_is_needed_and_elsewhere_one_is(house: Storehouse) -> None:
    # Nothing has changed since these were begun: without a record that tells what is listed.
    one, two, three = (f"2090-11-2{day}T010000Z" for day in range(3))
    unsent = frame("send", Said(code=0, out=b""), "not needed")
    assert house.snapshot(one).code == 0
    for name, basis, code in ((two, one, 0), (three, two, 1)):
        if code:
            (house.source / "new").touch()
        with house.held():
            assert house.begin(name, basis).code == 0
            made = house.send_all(name, basis)
            settled = made[made.index(b'{"from": "settle"') : made.index(b'{"from": "first"')]
            # What was sent only in part is no better.
            partly = frame("first", Said(code=23, out=b""))
            for given in (unsent + settled, unsent + settled + partly)[: 1 + code]:
                sealed = house.seal(name, given)
                assert sealed.code == code, sealed
    assert sealed.answer["error"] == "something of / differs, and nothing was sent"
    assert differences(house.root / one, house.root / two) == []


def test_what_comes_back_between_look_and_send_is_tomorrow_s(house: Storehouse) -> None:
    folder = house.source / "back again"
    folder.mkdir()
    for number in range(5):
        (folder / str(number)).touch()
    assert house.snapshot(ONE).code == 0
    shutil.rmtree(folder)
    with house.held():
        assert house.begin(TWO, ONE).code == 0
        assert house.clone(TWO, ONE).code == 0
        names = house.listed(TWO, ONE)
        folder.mkdir()
        sent = house.send_listed(TWO, ONE, names)
        again = house.send_again(TWO, names)
        settled = house.settle(TWO, names)
        heard = frame("settle", settled) + frame("list", names)
        assert house.compose(TWO, heard).code == 0
        sealed = house.seal(TWO, frame("send", again) + frame("settle", settled) + frame("first", sent))
        assert sealed.code == 0, sealed
    assert not (house.root / TWO / "back again").exists()
    assert house.snapshot(THREE, TWO).code == 0
    assert list((house.root / THREE / "back again").iterdir()) == []
