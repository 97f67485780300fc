"""Why a name is not in the copy where a folder above it was moved: that, and nothing that only looks like it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.agent import tree
from runner.agent.look.shown import ShownSource
from runner.agent.snapshots import explain
from runner.agent.snapshots.explain import SourceTree, judge

NEW, GONE, CONTENT, MODE = ">f+++++++++", "*deleting", ">f..t......", ".f...p....."
NAME = b"home/eve/w/f"


def _since(place: Path) -> int:
    """A time (ns) by the filesystem's clock; what changes after it has a later one, however coarse that clock is."""
    place.touch()
    since = place.stat().st_ctime_ns
    while place.stat().st_ctime_ns == since:
        place.touch()
    return since


@pytest.fixture
def source(tmp_path: Path) -> SourceTree:
    (tmp_path / "source/home/eve/w").mkdir(parents=True)
    (tmp_path / "source/home/eve/w/f").write_text("text")
    top = os.fsencode(tmp_path / "source")
    return SourceTree(top, _since(tmp_path / "clock"), ShownSource(top))


def _there_and_back(name: str) -> Callable[[Path], object]:
    return lambda top: (top / name).rename(top / "away").rename(top / name)


def _made_in(*folders: str) -> Callable[[Path], object]:
    return lambda top: [(top / folder / "made").touch() for folder in folders]


def _nothing(_: Path) -> None:
    """Nothing happens."""


@pytest.mark.parametrize(
    ("happens", "item", "cause"),
    [
        (_nothing, NEW, "unexplained"),
        (_there_and_back("home/eve/w"), NEW, "changed"),
        (_there_and_back("home/eve"), NEW, "changed"),
        # The top is above it.
        (_there_and_back("home"), NEW, "changed"),
        (_there_and_back("home"), GONE, "changed"),
        (_there_and_back("home"), CONTENT, "changed"),
        # All of it was read, and its mode is not in the copy: no move does that.
        (_there_and_back("home"), MODE, "attributes"),
        (_there_and_back("home/eve/w/f"), NEW, "changed"),
        # In a busy folder what the store lost is not what changed.
        (_made_in("home/eve/w"), NEW, "unexplained"),
        (_made_in("home/eve"), CONTENT, "unexplained"),
        (lambda top: (top / "home/eve").chmod(0o700), NEW, "unexplained"),
        (lambda top: (top / "beside").mkdir(), NEW, "unexplained"),
    ],
)
def test_the_cause_of_a_name_below_it(
    source: SourceTree, happens: Callable[[Path], object], item: str, cause: str
) -> None:
    happens(Path(os.fsdecode(source.root)))
    assert judge(item, NAME, source)[0] == cause


def test_what_cannot_be_read_is_that_though_a_folder_was_moved(
    source: SourceTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    _there_and_back("home")(Path(os.fsdecode(source.root)))

    def broken(_folder: int, _name: bytes, _size: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(explain, "_read", broken)
    assert judge(NEW, NAME, source) == ("unreadable", errno.EIO)


@pytest.mark.parametrize(("code", "moved"), [(errno.ENOENT, True), (errno.ENOTDIR, True), (errno.EIO, False)])
def test_a_folder_that_is_gone_by_now_was_moved_and_one_that_cannot_be_looked_at_was_not(
    source: SourceTree, monkeypatch: pytest.MonkeyPatch, code: int, *, moved: bool
) -> None:
    real = tree.folder

    def fails(parent: int, name: bytes) -> int:
        if name == b"eve":
            raise OSError(code, os.strerror(code))
        return real(parent, name)

    monkeypatch.setattr(tree, "folder", fails)
    assert source.moved_above(NAME) is moved
