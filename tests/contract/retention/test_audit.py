"""The audit: what changed under a sealed snapshot is found, named, and told apart."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.agent import tree
from runner.agent.retention.bequest import bequeath
from runner.agent.retention.coverage import debts
from runner.agent.retention.owed import hand_on
from runner.agent.snapshots.sums import sum_lines
from runner.agent.store.layout import StoreFolder
from tests.contract.retention.test_expire import expire, facts, verb
from tests.contract.storehouse import Storehouse, copied

ONE, TWO, THREE = (f"2026-11-2{day}T010000Z" for day in range(3))
HOSTILE = b"new\nline \\#012 \xff -rf"

pytestmark = pytest.mark.skipif(shutil.which("xxhsum") is None, reason="needs xxhsum")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    """Three snapshots; `folder/old` is shared by all, `late` by the last two, `day` by none."""
    place = tmp_path_factory.mktemp("ready")
    source = place / "source"
    (source / "folder").mkdir(parents=True)
    for name in (b"old", b"other", HOSTILE):
        (source / "folder" / os.fsdecode(name)).write_bytes(b"text of " + name)
    (source / "folder/twin").hardlink_to(source / "folder/old")
    (source / "link").symlink_to("folder/old")
    (source / "empty").touch()
    house = Storehouse(root=place / "store", source=source)
    for before, name in (("", ONE), (ONE, TWO), (TWO, THREE)):
        (source / "day").write_text(name)
        assert house.snapshot(name, before).code == 0
        if name == ONE:
            (source / "late").write_text("late")
    return house


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    """The same, after a first audit that found nothing."""
    house = copied(ready, tmp_path / "house")
    answer = audit(house)
    assert (answer["findings"], answer["taken"], answer["problem"]) == ([], 3, "")
    return house


def audit(house: Storehouse, every: int = 1, most: int = 10**9, seconds: int = 60) -> dict[str, Any]:
    argv = ("--every", str(every), "--bytes", str(most), "--seconds", str(seconds))
    result = verb(house, "audit", *argv)
    assert result.code == 0, result.out
    return result.answer


def findings(house: Storehouse) -> list[tuple[str, str, list[str]]]:
    answer = audit(house)
    assert answer["total"] == len(answer["findings"])
    return sorted((each["kind"], each["path"], each["snapshots"]) for each in answer["findings"])


def flip(path: Path) -> None:
    """Change one byte and nothing else that anybody could see."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.write(b"T")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_nothing_changed_nothing_found_and_everything_was_read(house: Storehouse) -> None:
    answer = audit(house)
    assert answer["findings"] == []
    assert (answer["read_files"], answer["compared"], answer["complete_in_days"]) == (7, 3, 1)
    assert answer["read_bytes"] == sum(len(b"text of " + name) for name in (b"old", b"other", HOSTILE)) + 58


def test_a_flipped_byte_is_content_of_every_snapshot_that_shares_it(house: Storehouse) -> None:
    flip(house.root / TWO / "folder/other")
    assert findings(house) == [("content", "folder/other", [ONE, TWO, THREE])]
    flip(house.root / THREE / "late")
    assert findings(house)[1] == ("content", "late", [TWO, THREE])


def test_a_changed_mode_is_attributes_of_every_snapshot_that_shares_it(house: Storehouse) -> None:
    (house.root / ONE / "folder/other").chmod(0o600)
    assert findings(house) == [("attributes", "folder/other", [ONE, TWO, THREE])]


def test_a_lost_name_is_missing_from_the_one_snapshot(house: Storehouse) -> None:
    folder = house.root / TWO / "folder"
    before = folder.stat()
    (folder / os.fsdecode(HOSTILE)).unlink()
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert findings(house) == [("missing", f"folder/{os.fsdecode(HOSTILE)}", [TWO])]


CHANGES: dict[str, tuple[Callable[[Path], object], set[tuple[str, str]]]] = {
    "a new name": (lambda top: (top / "folder/new").touch(), {("added", "folder/new"), ("attributes", "folder")}),
    "a folder gone": (lambda top: shutil.rmtree(top / "folder"), {("missing", "folder"), ("attributes", ".")}),
    "a time": (lambda top: os.utime(top / "late", ns=(0, 1)), {("attributes", "late")}),
    "the top folder": (lambda top: top.chmod(0o700), {("attributes", ".")}),
    "a file for a folder": (
        lambda top: (shutil.rmtree(top / "folder"), (top / "folder").touch()),
        {("attributes", "folder"), ("attributes", ".")},
    ),
    "a pipe for a file": (
        lambda top: ((top / "day").unlink(), os.mkfifo(top / "day")),
        {("attributes", "day"), ("attributes", "."), ("content", "day")},
    ),
    "a link's target": (
        lambda top: ((top / "link").unlink(), (top / "link").symlink_to("folder/new")),
        {("attributes", "link"), ("attributes", ".")},
    ),
    "an extended attribute": (lambda top: os.setxattr(top / "late", "user.note", b"x"), {("attributes", "late")}),
    "a cut file": (
        lambda top: (flip(top / "late"), os.truncate(top / "late", 2)),
        {("attributes", "late"), ("content", "late")},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_kind_of_change_is_found(house: Storehouse, change: str) -> None:
    act, expected = CHANGES[change]
    try:
        act(house.root / TWO)
    except OSError as problem:
        pytest.skip(f"not on this filesystem: {problem}")
    assert {(kind, path) for kind, path, _ in findings(house)} == expected


def test_a_link_on_the_way_to_a_file_is_not_followed(house: Storehouse, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(house.root / ONE / "folder", outside)
    for name in (ONE, TWO, THREE):
        shutil.rmtree(house.root / name / "folder")
        (house.root / name / "folder").symlink_to(outside)
    assert ("missing", "folder/other") in [(kind, path) for kind, path, _ in findings(house)]


def test_expiring_and_sealing_change_nothing_that_the_audit_minds(house: Storehouse) -> None:
    assert expire(house, ONE).code == 0
    assert house.snapshot("2026-11-23T010000Z", THREE).code == 0
    assert findings(house) == []
    assert verb(house, "reap").code == 0
    assert findings(house) == []
    flip(house.root / TWO / "folder/other")
    assert findings(house) == [("content", "folder/other", [TWO, THREE, "2026-11-23T010000Z"])]


def test_every_file_is_read_once_in_so_many_nights_whatever_is_expired_meanwhile(house: Storehouse) -> None:
    (house.root / ".runner/audit.json").unlink()
    for path in (Path("folder/other"), Path("folder", os.fsdecode(HOSTILE)), Path("late")):
        flip(house.root / TWO / path)
    nights = [audit(house, every=4)]
    expire(house, ONE)
    nights += [audit(house, every=4) for _ in range(3)]
    assert all(night["complete_in_days"] == 4 for night in nights)
    kinds = sorted((each["kind"], each["path"]) for night in nights for each in night["findings"])
    assert kinds == [("content", f"folder/{os.fsdecode(HOSTILE)}"), ("content", "folder/other"), ("content", "late")]
    assert 0 < sum(night["read_files"] for night in nights) <= 7


def test_bounds_on_bytes_stretch_the_round_and_the_answer_says_so(house: Storehouse) -> None:
    (house.root / ".runner/audit.json").unlink()
    nights = [audit(house, most=1) for _ in range(9)]
    assert all(night["read_files"] <= 3 for night in nights)
    assert nights[0]["complete_in_days"] > 1
    assert sum(night["read_files"] for night in nights) >= 7


def test_a_damaged_list_is_a_finding_and_accuses_no_file(house: Storehouse) -> None:
    for kind in ("sums", "names"):
        path = house.root / f".runner/records/{TWO}.{kind}.gz"
        content = path.read_bytes()
        path.write_bytes(content[: len(content) - 6])
    assert findings(house) == [
        ("content", f".runner/records/{TWO}.names.gz", [TWO]),
        ("content", f".runner/records/{TWO}.sums.gz", [TWO]),
    ]


def lacking(house: Storehouse) -> tuple[int, int, int, int]:
    """How many snapshots lack checksums that they had, of how many files and bytes; how many files never had one."""
    answer = audit(house)
    return answer["lost_snapshots"], answer["lost_files"], answer["lost_bytes"], answer["never_summed"]


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    lines = gzip.decompress(content).splitlines(keepends=True)
    match how:
        case "removed":
            path.unlink()
        case "nothing in it":
            path.write_bytes(b"")
        case "garbage":
            path.write_bytes(b"garbage")
        case "cut":
            path.write_bytes(content[:-6])
        case "half of its lines":
            path.write_bytes(gzip.compress(b"".join(lines[: len(lines) // 2])))


@pytest.mark.parametrize("how", ["removed", "nothing in it", "garbage", "cut", "half of its lines"])
def test_checksums_that_are_gone_are_counted_each_day_as_what_cannot_be_audited(house: Storehouse, how: str) -> None:
    sums = house.root / f".runner/records/{ONE}.sums.gz"
    had = json.loads((house.root / f".runner/records/{ONE}.json").read_text())["summed"]
    spoil(sums, how)
    gone = had - had // 2 if how == "half of its lines" else had
    for _ in range(2):
        snapshots, lost, size, never = lacking(house)
        assert (snapshots, lost, never, size > 0) == (1, gone, 0, True)


def test_all_lists_gone_is_no_store_that_is_read_once_in_a_day(house: Storehouse) -> None:
    for path in (house.root / ".runner/records").glob("*.sums.gz"):
        path.unlink()
    flip(house.root / TWO / "folder/other")
    answer = audit(house)
    assert (answer["read_files"], answer["lost_snapshots"], answer["lost_files"] >= 7) == (0, 3, True)
    assert answer["complete_in_days"] is None


def test_what_was_inherited_is_missed_too_once_an_audit_saw_it(house: Storehouse) -> None:
    sums = house.root / f".runner/records/{TWO}.sums.gz"
    own = sums.read_bytes()
    inherited = expire(house, ONE).answer["inherited"]
    assert lacking(house) == (0, 0, 0, 0)
    sums.write_bytes(own)
    assert lacking(house)[:2] == (1, inherited)


@pytest.mark.parametrize("how", ["by the names that went", "by the trees"])
@pytest.mark.parametrize("with_name", ["gone", "in another folder"])
def test_a_file_that_lives_on_by_another_name_keeps_its_checksum(house: Storehouse, how: str, with_name: str) -> None:
    store = StoreFolder(house.root)
    (line,) = (line for line in sum_lines(store, ONE) if line.path in (b"folder/old", b"folder/twin"))
    other = "folder/twin" if line.path == b"folder/old" else "folder/old"
    (house.source / os.fsdecode(line.path)).unlink()
    if with_name == "in another folder":
        (house.source / "elsewhere").mkdir()
        (house.source / other).rename(house.source / "elsewhere/one")
        (house.source / "elsewhere/two").hardlink_to(house.source / "elsewhere/one")
    four = "2026-11-23T010000Z"
    assert house.snapshot(four, THREE).code == 0
    if how == "by the trees":
        for name in (TWO, THREE, four):
            store.gone(name).unlink()
    for name in (ONE, TWO, THREE):
        assert expire(house, name).code == 0
        assert lacking(house)[:2] == (0, 0)
    inodes = {path.stat().st_ino for path in (house.root / four).rglob("*") if path.is_file() and path.stat().st_size}
    lines = [os.fsdecode(line.path) for line in sum_lines(store, four)]
    assert {
        (house.root / four / path).stat().st_ino for path in lines if (house.root / four / path).stat().st_size
    } == inodes
    flip(house.root / four / (other if with_name == "gone" else "elsewhere/one"))
    assert [kind for kind, _, _ in findings(house)] == ["content"]


def test_a_list_that_is_lost_is_not_begun_anew_by_what_is_inherited(house: Storehouse) -> None:
    (house.root / f".runner/records/{TWO}.sums.gz").unlink()
    assert expire(house, ONE).answer["inherited"] is None
    # Its own two, and the four that it shares with the one that is gone: with `twin` it has `old` once.
    assert lacking(house)[:2] == (1, 6)


@pytest.mark.parametrize("how", ["removed", "half of its lines"])
def test_what_lost_its_checksum_stays_counted_as_long_as_a_snapshot_has_it(house: Storehouse, how: str) -> None:
    """Whatever goes: the files that only the one that is gone had are missed no more, and no others are forgotten."""
    sums = house.root / f".runner/records/{ONE}.sums.gz"
    names = [line.split(b" ", 2)[2] for line in gzip.decompress(sums.read_bytes()).splitlines()]
    spoil(sums, how)
    left = set() if how == "removed" else set(names[: len(names) // 2])
    shared = {name for name in names if name != b"day" and name not in left}
    assert expire(house, ONE).code == 0
    assert lacking(house)[:2] == (1, len(shared))
    late = house.snapshot("2026-11-23T010000Z", THREE)
    assert late.code == 0
    assert expire(house, TWO).code == 0
    assert lacking(house)[:2] == (1, len(shared))
    assert set(json.loads((house.root / f".runner/records/{THREE}.owed").read_text())) == {TWO}
    assert findings(house) == []


def test_debts_that_cannot_be_understood_are_named_and_not_written_over(house: Storehouse) -> None:
    owed = house.root / f".runner/records/{TWO}.owed"
    owed.write_text("{damaged")
    assert facts(house)["odd"] == [str(owed)]
    (house.root / f".runner/records/{ONE}.sums.gz").unlink()
    assert (expire(house, ONE).answer["inherited"], owed.read_text()) == (None, "{damaged")
    for damaged in ({"x": 5}, {"x": [1]}, {"x": [1, -1]}, {"x": [1, "2"]}, {ONE: [1, 2], "x": None}):
        owed.write_text(json.dumps(damaged))
        assert facts(house)["odd"] == [str(owed)]
    for whole in ({}, {ONE: [1, 2]}):
        owed.write_text(json.dumps(whole))
        assert facts(house)["odd"] == []


def test_a_look_that_failed_is_not_a_file_that_is_not_shared(
    house: Storehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = StoreFolder(house.root)
    had = sum(1 for _ in sum_lines(store, ONE))
    (house.root / f".runner/records/{ONE}.sums.gz").unlink()
    before = len(list(Path("/proc/self/fd").iterdir()))

    def unreadable(parent: int, name: bytes) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO), name)

    with monkeypatch.context() as patch:
        # The trees that are compared with, not the one that goes.
        patch.setattr("runner.agent.inodes.tree", SimpleNamespace(**{**vars(tree), "status": unreadable}))
        hand_on(store, ONE)
    assert debts(store, TWO)[ONE].lines == had
    assert bequeath(store, TWO, [THREE]) is not None
    # Where it is not known which names went the trees are compared.
    store.gone(THREE).unlink()
    assert bequeath(store, TWO, [THREE]) is not None
    shutil.rmtree(house.root / THREE)
    assert bequeath(store, TWO, [THREE]) is None
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_comes_back_from_aside_is_missed_once(house: Storehouse) -> None:
    (house.root / f".runner/records/{ONE}.sums.gz").unlink()
    before = lacking(house)
    assert verb(house, "set-aside", ONE).code == 0
    assert lacking(house)[:2] == (1, before[1] - 1), "without `day`, which nothing else has"
    assert verb(house, "bring-back", ONE).code == 0
    assert lacking(house) == before


def test_what_a_lost_snapshot_brought_is_missed_until_its_checksums_go_on(house: Storehouse) -> None:
    had = json.loads((house.root / f".runner/records/{ONE}.json").read_text())["summed"]
    shutil.rmtree(house.root / ONE)
    assert lacking(house)[:2] == (1, had)
    # Not `day`, which the next one brought itself.
    assert verb(house, "set-aside", ONE).answer["inherited"] == had - 1
    assert lacking(house) == (0, 0, 0, 0)
    flip(house.root / TWO / "folder/other")
    assert findings(house) == [("content", "folder/other", [TWO, THREE])]


def test_what_came_without_a_checksum_and_what_an_older_record_does_not_say_is_counted(house: Storehouse) -> None:
    record = house.root / f".runner/records/{THREE}.json"
    about = json.loads(record.read_text())
    record.write_text(json.dumps({**about, "unsummed": 4}))
    assert lacking(house) == (0, 0, 0, 4)
    record.write_text(json.dumps({key: value for key, value in about.items() if key != "summed"}))
    (house.root / ".runner/audit.json").unlink()
    (house.root / f".runner/records/{THREE}.sums.gz").unlink()
    assert lacking(house) == (0, 0, 0, about["added_files"])


def test_a_manifest_that_is_gone_is_missed_and_taken_anew(house: Storehouse) -> None:
    (house.root / f".runner/records/{TWO}.names.gz").unlink()
    assert findings(house) == [("missing", f".runner/records/{TWO}.names.gz", [TWO])]
    assert findings(house) == []


def test_what_no_program_here_can_check_was_not_read(house: Storehouse) -> None:
    for name in (ONE, TWO, THREE):
        record = house.root / f".runner/records/{name}.json"
        record.write_text(json.dumps({**json.loads(record.read_text()), "checksum": "sha1"}))
    answer = audit(house)
    assert (answer["read_bytes"], answer["read_files"], answer["unchecked"]) == (0, 0, 7)
    assert answer["complete_in_days"] is None


def test_checksums_of_two_kinds_live_side_by_side(house: Storehouse) -> None:
    record = house.root / f".runner/records/{TWO}.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "checksum": "md5"}))
    sums = house.root / f".runner/records/{TWO}.sums.gz"
    day = subprocess.run(("md5sum", house.root / TWO / "day"), capture_output=True, check=True).stdout[:32]
    sums.write_bytes(gzip.compress(b"%s 18 day\n" % day))
    assert findings(house) == []
    assert expire(house, ONE).answer["inherited"] == 4
    assert findings(house) == []
    flip(house.root / TWO / "folder/other")
    flip(house.root / TWO / "day")
    assert [each[:2] for each in findings(house)] == [("content", "day"), ("content", "folder/other")]


def test_what_no_program_here_can_check_is_counted_and_said(house: Storehouse) -> None:
    record = house.root / f".runner/records/{TWO}.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "checksum": "sha1"}))
    answer = audit(house)
    assert (answer["unchecked"], answer["findings"]) == (2, [])
    assert "2 files" in answer["problem"]


@pytest.mark.parametrize("content", ["", "[]", '{"cursor": "x", "compared": 3, "last": 7}', '{"cursor": -1}'])
def test_a_damaged_cursor_begins_again(house: Storehouse, content: str) -> None:
    (house.root / ".runner/audit.json").write_text(content)
    assert audit(house)["read_files"] == 7


def test_a_tree_as_deep_as_no_path_can_say_is_audited_like_any_other(house: Storehouse, tmp_path: Path) -> None:
    """rsync makes none, but whoever runs a program where it receives does."""
    here = os.open(house.root / THREE, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=here)
        here = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
    deepest = "/".join(["d" * 200] * 30)
    (house.root / f".runner/records/{THREE}.names.gz").unlink()
    assert [kind for kind, _, _ in findings(house)] == ["missing"]
    assert findings(house) == []
    os.mkdir("new", dir_fd=here)
    os.close(here)
    assert ("added", f"{deepest}/new", [THREE]) in findings(house)
    assert house.call("links", str(house.root), "--max=3").code == 0


def listed(house: Storehouse, name: str, *lines: str) -> None:
    """Say of a snapshot that it came with these checksums."""
    (house.root / f".runner/records/{name}.sums.gz").write_bytes(gzip.compress("".join(lines).encode()))


def test_of_a_line_that_says_another_size_nothing_is_read(house: Storehouse) -> None:
    with (house.root / THREE / "day").open("r+b") as stream:
        stream.truncate(1 << 40)
    listed(house, THREE, f"{'0' * 32} 1 day\n")
    answer = audit(house, most=1000, seconds=2)
    assert answer["read_bytes"] < 1000
    assert "day" in [each["path"] for each in answer["findings"]]


def test_a_hole_that_is_longer_than_a_night_is_told_and_not_read(house: Storehouse) -> None:
    with (house.root / THREE / "day").open("r+b") as stream:
        stream.truncate(1 << 40)
    listed(house, THREE, f"{'0' * 32} {1 << 40} day\n")
    answers = [audit(house, most=1000, seconds=60) for _ in range(12)]
    assert sum(each["read_bytes"] for each in answers) < 10_000
    assert any("1 files are holes" in each["problem"] for each in answers)


def test_a_share_that_is_longer_than_a_night_goes_on_in_the_next(house: Storehouse) -> None:
    """All in one share: who names the files decides that."""
    (house.root / ".runner/audit.json").unlink()
    share = 7
    names = [f"n{number}" for number in range(60_000) if zlib.crc32(f"n{number}".encode()) % 4096 == share][:5]
    for name in names:
        (house.root / THREE / name).write_bytes(bytes(40 << 20))
    (house.root / f".runner/records/{THREE}.names.gz").unlink()
    listed(house, THREE, *(f"{'0' * 32} {40 << 20} {name}\n" for name in names))
    (house.root / ".runner/audit.json").write_text(json.dumps({"cursor": share}))
    nights = [audit(house, most=1 << 20) for _ in names]
    assert [each["cursor"] for each in nights[:-1]] == [share] * 4
    assert nights[-1]["cursor"] != share
    assert all(each["read_bytes"] == 40 << 20 for each in nights)
    found = [each["path"] for night in nights for each in night["findings"] if each["kind"] == "content"]
    assert sorted(found) == sorted(names), "each is read once"
