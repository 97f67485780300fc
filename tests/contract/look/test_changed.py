"""`changed`: what was sent is sent once more where it changed since the look, or rsync drops something of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.look.looks import ONE, TWO, Looked, names


def _write(top: Path) -> None:
    (top / "folder/c").write_text("other")


def _set_mode(top: Path) -> None:
    (top / "folder").chmod(0o700)


def _replace(top: Path) -> None:
    (top / "fresh").write_text("other")
    (top / "fresh").rename(top / "a")


def _write_a_linked_one(top: Path) -> None:
    (top / "one").write_text("other")


def _remove(top: Path) -> None:
    (top / "folder/c").unlink()


def _move_away_and_back(top: Path) -> None:
    (top / "folder").rename(top / "away")
    (top / "away").rename(top / "folder")


def _bring_back(top: Path) -> None:
    (top / "gone").write_text("again")


def _of_the_list(top: Path) -> None:
    (top / "never listed").touch()


def _nothing(_: Path) -> None:
    pass


@pytest.fixture
def house(tmp_path: Path) -> Looked:
    """A source that was looked at once; everything in it has changed since."""
    (tmp_path / "source/folder").mkdir(parents=True)
    house = Looked(source=tmp_path / "source", scans=tmp_path / "scans")
    files = [house.source / name for name in ("a", "folder/c", "one", "gone")]
    for path in files:
        path.write_text("text")
    os.link(house.source / "one", house.source / "two")
    house.first()
    for path in files:
        path.chmod(0o640)
    (house.source / "folder").chmod(0o750)
    (house.source / "gone").unlink()
    (house.source / "link").symlink_to("a")
    os.mkfifo(house.source / "fifo")
    return house


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (_nothing, []), (_write, [b"folder/c"]), (_replace, [b"a"]), (_write_a_linked_one, [b"one", b"two"]),
        (_set_mode, [b"folder"]), (_move_away_and_back, [b"folder", b"folder/c"]), (_remove, [b"folder"]),
        (_bring_back, []), (_of_the_list, []),
    ],
)  # fmt: skip
def test_what_changed_since_the_look_is_sent_again_and_nothing_else(
    change: Callable[[Path], None], again: list[bytes], house: Looked
) -> None:
    looked = house.look(TWO, ONE)
    assert set(names(looked)) == {b"a", b"folder", b"folder/c", b"one", b"two", b"gone", b"link", b"fifo"}
    change(house.source)
    assert names(house.changed(TWO, looked.out)) == again


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives attributes to what has no content")
def test_what_has_attributes_and_no_content_is_always_sent_again(house: Looked) -> None:
    for name in ("link", "fifo", "a"):
        os.setxattr(house.source / name, "trusted.note", b"x", follow_symlinks=False)
    looked = house.look(TWO, ONE)
    assert sorted(names(house.changed(TWO, looked.out))) == [b"fifo", b"link"]


def test_a_list_that_is_cut_off_or_of_another_look_is_refused(house: Looked) -> None:
    listing = house.look(TWO, ONE).out
    for torn in (
        listing[:-1],
        listing[: listing.index(b"\0") + 1],
        listing + b"./more\0",
        b"",
        b"./../etc\0",
        b"x" * 9,
    ):
        assert house.changed(TWO, torn).code == 1
    assert house.changed(ONE, listing).code == 1
    shutil.rmtree(house.scans)
    assert house.changed(TWO, listing).code == 1
    assert not house.scans.exists()
