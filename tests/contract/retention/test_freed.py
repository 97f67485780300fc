"""What expiring frees, foretold: measured against the disk itself, on ext3."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.store import freed
from runner.agent.store.layout import open_store
from tests.contract.disks.test_disks import disk
from tests.contract.retention.test_expire import expire, facts, verb
from tests.contract.storehouse import Storehouse

needs_mount = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
BLOCK = 1024


def name(number: int) -> str:
    return f"2026-11-{number + 1:02d}T010000Z"


def grow(folder: Path, dice: random.Random) -> None:
    """Change a tree: files of all sizes, holes, link groups, links, folders that come and go."""
    for _ in range(dice.randint(6, 12)):
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
        below = dice.choice([folder, *sorted(path for path in folder.rglob("*") if path.is_dir())])
        fresh = below / f"{dice.getrandbits(32):x}"
        match dice.randint(0, 7):
            case 0:
                fresh.mkdir()
            case 1:
                fresh.symlink_to("x" * dice.choice((5, 90)))
            case 2 | 3 if files:
                fresh.hardlink_to(dice.choice(files))
            case 4 if files:
                dice.choice(files).unlink()
            case 5:
                with fresh.open("wb") as stream:
                    stream.seek(dice.randint(0, 400_000))
                    stream.write(dice.randbytes(dice.randint(1, 5000)))
            case _:
                fresh.write_bytes(dice.randbytes(dice.choice((0, 1, 1500, 20_000))))


def sealed_by_hand(house: Storehouse, number: int) -> None:
    """A snapshot made of links to the one before, as rsync makes it, with its record."""
    target = house.root / name(number)
    bases = ("--link-dest", house.root / name(number - 1)) if number else ()
    argv = ("rsync", "-aHS", "--modify-window=-1", *bases, f"{house.source}/", f"{target}/")
    subprocess.run(argv, check=True)
    records = house.root / ".runner/records"
    records.mkdir(exist_ok=True, parents=True)
    (records / f"{name(number)}.json").write_text('{"exceptions": 0}')


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Storehouse]:
    with disk(tmp_path, "-I", "256", "-b", str(BLOCK)) as mount:
        (tmp_path / "source").mkdir()
        house = Storehouse(root=mount / "papio", source=tmp_path / "source")
        with house.held():
            yield house


def call(house: Storehouse, *argv: str) -> list[dict[str, int]]:
    answer = house.call("freed", str(house.root), *argv).answer
    return list(answer["freed"])


def write(house: Storehouse, verb: str, *argv: str) -> None:
    result = house.call(verb, str(house.root), *argv, "--plan", house.plan)
    assert result.code == 0, result.out


def used(house: Storehouse) -> tuple[int, int]:
    os.sync()
    space = os.statvfs(house.root)
    return (space.f_blocks - space.f_bfree) * space.f_frsize, space.f_files - space.f_ffree


@needs_mount
@pytest.mark.parametrize("seed", range(4))
def test_what_is_foretold_is_what_the_disk_gains(house: Storehouse, seed: int) -> None:
    dice = random.Random(seed)
    for number in range(5):
        grow(house.source, dice)
        sealed_by_hand(house, number)
    order = [name(number) for number in dice.sample(range(4), 3)]
    write(house, "reap")
    (house.root / ".trash").mkdir(exist_ok=True)
    foretold = call(house, *order)
    bytes_before, inodes_before = used(house)
    for gone, each in zip(order, foretold, strict=True):
        assert each["name"] == gone
        write(house, "expire", gone, "--min", "1")
        write(house, "reap")
        bytes_now, inodes_now = used(house)
        assert inodes_before - inodes_now == each["inodes"]
        assert abs(bytes_before - bytes_now - each["bytes"]) <= BLOCK * each["inodes"]
        assert bytes_before - bytes_now == each["bytes"]


@needs_mount
def test_what_waits_in_the_trash_is_not_counted_twice(house: Storehouse) -> None:
    dice = random.Random(7)
    for number in range(4):
        grow(house.source, dice)
        sealed_by_hand(house, number)
    write(house, "expire", name(0), "--min", "1")
    foretold = call(house, name(1))[0]
    write(house, "expire", name(1), "--min", "1")
    (house.root / f".trash/{name(1)}").rename(house.root / ".partial")
    for path in (house.root / ".trash").glob(f"{name(1)}*"):
        path.rename(house.root / ".partial" / f"beside-{path.name}")
    write(house, "reap")
    before = used(house)
    subprocess.run(("rm", "-rf", house.root / ".partial"), check=True)
    after = used(house)
    assert before[1] - after[1] == foretold["inodes"]
    assert before[0] - after[0] == foretold["bytes"]


@pytest.fixture
def plain(tmp_path: Path) -> Storehouse:
    """Eight snapshots that share and differ, in a plain folder, with a saved measurement."""
    (tmp_path / "source").mkdir()
    house = Storehouse(root=tmp_path / "store", source=tmp_path / "source")
    dice = random.Random(3)
    with house.held():
        for number in range(8):
            grow(house.source, dice)
            sealed_by_hand(house, number)
        write(house, "freed", "--save")
    return house


def in_probe(house: Storehouse) -> dict[str, tuple[int, int]]:
    return {
        each["name"]: (each["freed_bytes"], each["freed_inodes"])
        for each in facts(house)["sealed"]
        if each["freed_bytes"] is not None
    }


def exact(house: Storehouse, *names: str) -> dict[str, tuple[int, int]]:
    return {str(each["name"]): (each["bytes"], each["inodes"]) for each in call(house, "--exact", *names)}


def test_a_probe_tells_the_oldest_five_as_they_were_measured(plain: Storehouse) -> None:
    assert list(in_probe(plain)) == [name(number) for number in range(5)]
    assert in_probe(plain) == exact(plain)


def test_a_new_snapshot_leaves_the_measurement_true(plain: Storehouse) -> None:
    before = in_probe(plain)
    grow(plain.source, random.Random(9))
    sealed_by_hand(plain, 8)
    assert in_probe(plain) == before == exact(plain)


def test_whoever_shares_with_one_leaves_true_what_those_before_it_free(plain: Storehouse) -> None:
    measured, store = in_probe(plain), open_store(str(plain.root))
    first, second, third, *_ = sorted(measured)
    freed.forget(store, [third])
    assert in_probe(plain) == {name: measured[name] for name in (first, second)}
    freed.forget(store, [third])
    freed.forget(store, [first, third])
    assert in_probe(plain) == {}


def test_expired_from_the_oldest_on_the_rest_stays_true(plain: Storehouse) -> None:
    for number in range(2):
        assert expire(plain, name(number)).code == 0
        left = [name(each) for each in range(number + 1, 5)]
        assert in_probe(plain) == exact(plain, *left)
        assert verb(plain, "reap").code == 0
        assert in_probe(plain) == exact(plain, *left)
    grow(plain.source, random.Random(11))
    sealed_by_hand(plain, 8)
    assert in_probe(plain) == exact(plain, *left)


@pytest.mark.parametrize(("number", "left"), [(1, 0), (4, 3), (6, 5)])
def test_expired_out_of_order_what_is_older_than_the_one_before_it_stays_true(
    plain: Storehouse, number: int, left: int
) -> None:
    assert expire(plain, name(number)).code == 0
    still = [name(each) for each in range(left)]
    assert in_probe(plain) == (exact(plain, *still) if still else {})
    assert [str(each["name"]) for each in call(plain)] == list(exact(plain))


def test_a_folder_that_appears_between_the_others_ends_it(plain: Storehouse) -> None:
    (plain.root / "2026-11-03T120000Z").mkdir()
    (plain.root / ".runner/records/2026-11-03T120000Z.json").write_text('{"exceptions": 0}')
    assert in_probe(plain) == {}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sealed": 1, "freed": []}', '{"sealed": [], "freed": []}'])
def test_a_damaged_measurement_is_none(plain: Storehouse, content: str) -> None:
    (plain.root / ".runner/freed.json").write_text(content)
    assert in_probe(plain) == {}
    assert len(call(plain)) == 5


def test_the_newest_and_what_is_no_snapshot_are_not_measured(plain: Storehouse) -> None:
    for names in ((name(7),), (name(0), name(0)), ("latest",), ("..",)):
        result = plain.call("freed", str(plain.root), "--", *names)
        assert result.code == 1
    assert plain.call("freed", str(plain.root), "--save", "--plan", plain.plan).code == 1


def test_measuring_reads_only(plain: Storehouse) -> None:
    before = {path: path.lstat().st_ctime_ns for path in plain.root.rglob("*")}
    exact(plain)
    assert {path: path.lstat().st_ctime_ns for path in plain.root.rglob("*")} == before
    assert json.loads((plain.root / ".runner/freed.json").read_text())["freed"]
