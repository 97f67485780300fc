"""A source whose disk is full, out of inodes or read-only: it is the one that needs its snapshot most."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.look import places
from tests.contract.look.looks import NO_RECORD, ONE, THREE, TWO, Looked, compare, copied, last, names
from tests.mounts import need_mounts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
FULL, LEAVES_LITTLE, NO_INODES, READ_ONLY = "full", "leaves little", "no inodes", "read-only"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Looked]:
    """A source of which the records are on a small disk."""
    need_mounts()
    (tmp_path / "source").mkdir()
    for number in range(300):
        (tmp_path / "source" / f"{number}").touch()
    monkeypatch.setattr(places, "SPARE", tmp_path / "spare/scans")
    disk = tmp_path / "var"
    disk.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=9,mode=700", "tmpfs", disk), check=True)
    try:
        yield Looked(source=tmp_path / "source", scans=disk / "scans")
    finally:
        subprocess.run(("umount", disk), check=True)


def spoil(house: Looked, how: str) -> None:
    """Let the disk take no more, or a part of the next record."""
    disk = house.scans.parent
    if how == READ_ONLY:
        subprocess.run(("mount", "-o", "remount,ro", disk), check=True)
    elif how == NO_INODES:
        for number in range(os.statvfs(disk).f_ffree):
            (disk / f"{number}").touch()
    else:
        left = 0 if how == FULL else 8192
        (disk / "rubbish").write_bytes(bytes(os.statvfs(disk).f_bavail * 4096 - left))


def relieve(house: Looked) -> None:
    disk = house.scans.parent
    subprocess.run(("mount", "-o", "remount,rw", disk), check=True)
    for path in disk.iterdir():
        if path.is_file():
            path.unlink()


def spare(house: Looked) -> list[str]:
    return sorted(path.name.partition("-")[2] for path in (house.source.parent / "spare").rglob("*-*"))


@pytest.mark.parametrize("how", [FULL, LEAVES_LITTLE, NO_INODES, READ_ONLY])
def test_it_has_its_records_elsewhere_and_back_where_there_is_room_again(house: Looked, how: str) -> None:
    house.first()
    spoil(house, how)
    for name, basis in ((TWO, ONE), (THREE, TWO)):
        (house.source / name).touch()
        assert house.next(name, basis) == [name.encode()]
        # That of before was on the disk, and made room when it went.
        assert name == THREE or (f"{TWO}.scan" in spare(house) and not list(house.scans.glob(f"*{TWO}.scan*")))
    relieve(house)
    (house.source / "more").touch()
    assert house.next("2026-11-26T081500Z", THREE) == [b"more"]
    assert house.place("2026-11-26T081500Z").exists() and f"{TWO}.scan" not in spare(house)


def test_a_first_look_has_it_there_too_and_the_second_in_the_same_run(house: Looked, tmp_path: Path) -> None:
    spoil(house, FULL)
    copied(house.source, tmp_path / "copy")
    (house.source / "new").touch()
    assert house.look(TWO, ONE).code == NO_RECORD
    # There is room again for the second, and no other is taken for it.
    relieve(house)
    listed = house.compared(TWO, "", compare(house.source, tmp_path / "copy"))
    assert names(listed) == [b"new"]
    assert spare(house) == []
    assert last(house.settle(TWO, listed))["listed"] == 1
    assert house.next(THREE, TWO) == []


def test_where_there_is_no_room_anywhere_it_says_where_and_leaves_nothing(
    house: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.first()
    spoil(house, FULL)
    monkeypatch.setattr(places, "SPARE", house.scans.parent / "spare")
    looked = house.look(TWO, ONE)
    assert looked.code == 1 and "No space left on device" in looked.answer["error"]
    assert str(house.scans) in looked.answer["error"]
    assert house.records() == [f"{ONE}.again", f"{ONE}.scan"]
    relieve(house)
    assert house.next(TWO, ONE) == []
