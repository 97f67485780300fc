"""Expiring snapshots: what is refused, what is left behind, and what a cut leaves."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compare import fingerprint
from tests.contract.disks.test_disks import disk
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Said, Storehouse, copied, filled

NAMES = tuple(f"2026-11-{day}T010000Z" for day in range(20, 25))
MOVES = "rename,renameat,renameat2,unlink,unlinkat,fsync,mkdir,mkdirat"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    """Five clean snapshots; the file `day` is new in each, `old` came with the first."""
    return filled(tmp_path_factory.mktemp("ready"), NAMES, lambda source, name: (source / "day").write_text(name))


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


def verb(house: Storehouse, *argv: str, around: tuple[str, ...] = ()) -> Said:
    with house.held():
        return house.call(argv[0], str(house.root), *argv[1:], "--plan", house.plan, around=around)


def expire(
    house: Storehouse, name: str, least: int = 1, more: tuple[str, ...] = (), around: tuple[str, ...] = ()
) -> Said:
    return verb(house, "expire", name, "--min", str(least), *more, around=around)


def facts(house: Storehouse) -> dict[str, Any]:
    request = {"host": "h", "stores": [{"name": "s", "path": str(house.root), "mount": "", "uuid": ""}]}
    return dict(house.call("probe", given=json.dumps(request).encode()).answer["stores"]["s"])


def names(house: Storehouse) -> list[str]:
    return [each["name"] for each in facts(house)["sealed"]]


def sums(house: Storehouse, name: str) -> list[bytes]:
    text = gzip.decompress((house.root / f".runner/records/{name}.sums.gz").read_bytes())
    return [line.split(b" ", 2)[2] for line in text.splitlines()]


def test_an_expired_snapshot_is_in_the_trash_with_all_that_was_known_of_it(house: Storehouse) -> None:
    others = {name: fingerprint(house.root / name) for name in NAMES[1:]}
    answer = expire(house, NAMES[0]).answer
    assert (answer["expired"], answer["sealed"], answer["inherited"]) == (NAMES[0], 4, 1)
    assert answer["free_percent"] > 0
    assert names(house) == list(NAMES[1:])
    assert sorted(path.name for path in (house.root / ".trash").iterdir()) == [
        NAMES[0],
        f"{NAMES[0]}.json",
        f"{NAMES[0]}.sums.gz",
    ]
    assert list((house.root / ".runner/records").glob(f"{NAMES[0]}*")) == []
    assert {name: fingerprint(house.root / name) for name in NAMES[1:]} == others
    assert verb(house, "reap").code == 0
    assert list((house.root / ".trash").iterdir()) == []


def test_what_is_in_the_trash_already_is_not_written_over(house: Storehouse) -> None:
    trash = house.root / ".trash"
    for name in (NAMES[0], f"{NAMES[0]}.1"):
        (trash / name).mkdir(parents=True)
    (trash / f"{NAMES[0]}.json").symlink_to("nowhere")
    assert expire(house, NAMES[0]).code == 0
    assert {path.name for path in trash.iterdir() if not path.name.endswith("sums.gz")} == {
        NAMES[0], f"{NAMES[0]}.1", f"{NAMES[0]}.2", f"{NAMES[0]}.json", f"{NAMES[0]}.json.1",
    }  # fmt: skip
    assert (trash / f"{NAMES[0]}.2/day").exists()


def test_a_checksum_is_inherited_by_the_next_snapshot_only_where_the_file_lives_on(house: Storehouse) -> None:
    assert sums(house, NAMES[1]) == [b"day"]
    expire(house, NAMES[0])
    assert sums(house, NAMES[1]) == [b"day", b"old"]
    assert expire(house, NAMES[1]).answer["inherited"] == 1
    assert sums(house, NAMES[2]) == [b"day", b"old"]


def test_the_newest_is_never_expired_nor_what_is_no_snapshot(house: Storehouse) -> None:
    assert "newest" in expire(house, NAMES[-1]).answer["error"]
    (house.root / "2026-11-10T010000Z").mkdir()
    for name in ("2026-11-10T010000Z", "2026-11-11T010000Z", "..", ".runner", "latest", ""):
        assert expire(house, name).code == 1
    assert names(house) == ["2026-11-10T010000Z", *NAMES]


def test_it_stops_at_the_floor_it_is_given(house: Storehouse) -> None:
    assert expire(house, NAMES[0], 4).code == 0
    assert "floor is 4" in expire(house, NAMES[1], 4).answer["error"]
    for least in ("0", "-1", "", "many"):
        assert verb(house, "expire", NAMES[1], "--min", least).code == 1
    assert len(names(house)) == 4


def test_it_keeps_the_stores_own_floor_whatever_it_is_told(house: Storehouse) -> None:
    assert verb(house, "floor", "4").answer == {"floor": 4, "before": 0, "per_day": 0}
    assert expire(house, NAMES[0], 1).code == 0
    assert "floor is 4" in expire(house, NAMES[1], 1).answer["error"]
    assert verb(house, "floor", "3").code == 1
    assert "floor is 4" in expire(house, NAMES[1], 1).answer["error"]
    assert verb(house, "floor", "3", "--lower").answer == {"floor": 3, "before": 4, "per_day": 0}
    assert expire(house, NAMES[1], 1).code == 0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"min": "4"}',
        '{"min": true}',
        '{"min": 4, "per_day": "3"}',
        '{"min": 4, "per_day": -1}',
        '{"max": 4}',
    ],
)
def test_a_floor_that_cannot_be_understood_lets_nothing_go(house: Storehouse, content: str) -> None:
    (house.root / ".runner/floor.json").write_text(content)
    assert "cannot be understood" in expire(house, NAMES[0]).answer["error"]
    assert verb(house, "floor", "9").code == 1


def test_snapshots_with_exceptions_do_not_count_towards_the_floor(house: Storehouse) -> None:
    for name, content in ((NAMES[1], '{"exceptions": 2}'), (NAMES[2], "damaged")):
        (house.root / f".runner/records/{name}.json").write_text(content)
    assert "2 snapshots without exceptions" in expire(house, NAMES[0], 3).answer["error"]
    (house.root / f".runner/records/{NAMES[2]}.json").write_text('{"exceptions": false}')
    assert "2 snapshots without exceptions" in expire(house, NAMES[0], 3).answer["error"]
    assert expire(house, NAMES[1], 3).code == 0
    assert expire(house, NAMES[2], 3).code == 0
    assert expire(house, NAMES[0], 3).code == 1


def test_without_the_lock_nothing_is_expired(house: Storehouse) -> None:
    result = house.call("expire", str(house.root), NAMES[0], "--min", "1", "--plan", house.plan)
    assert result.code == 1
    with house.held("another"):
        assert house.call("expire", str(house.root), NAMES[0], "--min=1", f"--plan={house.plan}").code == 75
    assert names(house) == list(NAMES)


def test_a_trash_that_is_a_link_takes_nothing(house: Storehouse, tmp_path: Path) -> None:
    shutil.rmtree(house.root / ".trash")
    (tmp_path / "elsewhere").mkdir()
    (house.root / ".trash").symlink_to(tmp_path / "elsewhere")
    refused = expire(house, NAMES[0])
    assert refused.code == 1 and str(house.root / ".trash") in refused.answer["error"]
    assert names(house) == list(NAMES)


def test_a_snapshot_being_read_stays_until_the_last_reader_ends(house: Storehouse) -> None:
    argv = (*PROGRAM, "reading", str(house.root), NAMES[0])
    with (
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as first,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as second,
    ):
        assert first.stdin and first.stdout and second.stdin and second.stdout
        for reader in (first, second):
            assert json.loads((reader.stdout or first.stdout).readline()) == {"held": True, "reading": NAMES[0]}
        assert [each["being_read"] for each in facts(house)["sealed"]] == [True, False, False, False, False]
        first.kill()
        first.wait()
        assert "being read" in expire(house, NAMES[0]).answer["error"]
        assert expire(house, NAMES[1]).code == 0
        second.stdin.close()
        second.wait()
        assert not any(each["being_read"] for each in facts(house)["sealed"])
        assert expire(house, NAMES[0]).code == 0
    assert house.call("reading", str(house.root), NAMES[0]).code == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
@pytest.mark.parametrize("wanting", ["bytes", "inodes"])
def test_a_full_disk_can_be_emptied(tmp_path: Path, wanting: str) -> None:
    with disk(tmp_path, "-b", "1024", "-N", "256") as mount:
        (tmp_path / "source").mkdir()
        house = Storehouse(root=mount / "papio", source=tmp_path / "source")
        for number in range(30):
            (house.source / f"{number}").write_text("text")
        for before, name in (("", NAMES[0]), (NAMES[0], NAMES[1])):
            assert house.snapshot(name, before).code == 0
        with house.held(), contextlib.suppress(OSError):
            for number in range(1000):
                (mount / f"{number}").write_bytes(b"" if wanting == "inodes" else bytes(1 << 20))
        with house.held(), contextlib.suppress(OSError):
            for number in range(1000):
                (mount / f"small{number}").write_bytes(b"" if wanting == "inodes" else bytes(1000))
        assert os.statvfs(mount).f_bfree == 0 or os.statvfs(mount).f_ffree == 0
        answer = expire(house, NAMES[0]).answer
        assert (answer["sealed"], answer["inherited"]) == (1, None)
        assert verb(house, "reap").answer["removed"] == 33
        assert answer["free_inodes"] + 3 == os.statvfs(mount).f_ffree


def test_reading_writes_nothing(house: Storehouse) -> None:
    before = {path: path.lstat().st_mtime_ns for path in house.root.rglob("*")}
    assert house.call("reading", str(house.root), NAMES[2]).answer == {"held": True, "reading": NAMES[2]}
    assert {path: path.lstat().st_mtime_ns for path in house.root.rglob("*")} == before


def test_a_trash_that_is_gone_is_made_for_root_alone_and_what_is_no_record_stays(house: Storehouse) -> None:
    shutil.rmtree(house.root / ".trash")
    records = house.root / ".runner/records"
    (records / "notes.txt").write_text("a person's")
    # Of a snapshot whose seal was cut off before its name: the next one takes it up.
    for path in (records / "2026-11-25T010000Z.json", records / "2026-11-25T010000Z.sums.gz"):
        path.write_text("{}")
    (house.root / ".partial/2026-11-25T010000Z").mkdir()
    assert expire(house, NAMES[0]).code == 0
    assert (house.root / ".trash").stat().st_mode & 0o7777 == 0o700
    assert {path.name.partition(".")[0] for path in records.iterdir()} == {*NAMES[1:], "notes", "2026-11-25T010000Z"}


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to see every call")
def test_the_disk_knows_that_a_snapshot_is_in_the_trash_before_its_record_goes(house: Storehouse) -> None:
    around = ("strace", "-qq", "-y", "-o", "/dev/stdout", "--trace=rename,renameat,renameat2,fsync")
    out = expire(house, NAMES[0], around=around).out.decode()
    calls = re.findall(r"^(?:rename\w*\(.*/([^/\"]+)\", [0-9]+<|fsync\([0-9]+<(?:.*/)?([^/>]+)>)", out, re.MULTILINE)
    seen = [before or synced for before, synced in calls]
    top = house.root.name
    assert seen[seen.index(NAMES[0]) :] == [
        NAMES[0], ".trash", top, f"{NAMES[0]}.json", f"{NAMES[0]}.sums.gz", ".trash", "records",
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to cut at a call")
def test_cut_off_at_any_of_its_moves_the_others_are_whole_and_the_next_one_works(
    house: Storehouse, tmp_path: Path
) -> None:
    traced = copied(house, tmp_path / "traced")
    around = ("strace", "-qq", "-o", "/dev/stdout", f"--trace={MOVES}")
    result = expire(traced, NAMES[0], around=around)
    calls = [call[1].decode() for call in re.finditer(rb"^([a-z0-9]+)\(", result.out, re.MULTILINE)]
    assert len(calls) >= 8
    for place, call in enumerate(calls):
        nth = calls[: place + 1].count(call)
        again = copied(house, tmp_path / f"cut{place}")
        others = {name: fingerprint(again.root / name) for name in NAMES}
        cut = ("strace", "-qq", "-o", "/dev/null", f"--trace={MOVES}", f"--inject={call}:signal=KILL:when={nth}")
        assert expire(again, NAMES[0], around=cut).code != 0
        left = names(again)
        assert left in ([*NAMES], [*NAMES[1:]])
        for name in left:
            assert fingerprint(again.root / name) == others[name]
        assert expire(again, NAMES[1]).code == 0
        assert b"old" in sums(again, NAMES[0] if NAMES[0] in left else NAMES[2])
        records = {path.name.partition(".")[0] for path in (again.root / ".runner/records").iterdir()}
        assert records == {name for name in left if name != NAMES[1]}
        assert verb(again, "reap").code == 0
        shutil.rmtree(again.root.parent)
