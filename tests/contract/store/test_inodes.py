"""Names looked up in a tree by the folders on the way to them, which stay open from one name to the next."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent import inodes as looking
from runner.agent.inodes import KEPT, InodeNumbers, Inodes


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_names_are_found_whichever_was_looked_up_before(tmp_path: Path) -> None:
    for name in ("a/b/c", "a/b.d", "a/x/c", "top"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("a")
    known = {name: (tmp_path / name).stat().st_ino for name in ("a/b/c", "a/b.d", "a/x/c", "top")}
    gone = ("a/b/d", "a/c/c", "link/b.d", "top/b", "a/../top", "..", "a/..")
    before = descriptors()
    with Inodes(tmp_path) as inodes:
        for first in (*known, *gone):
            for second in (*known, *gone):
                for name in (first, second):
                    status = inodes.status(os.fsencode(name))
                    assert (status.st_ino if status else None) == known.get(name), (first, second)
    assert descriptors() == before


def _later(place: Path) -> int:
    """A time (ns) by the filesystem's clock; what changes after it has a later one, however coarse that clock is."""
    place.touch()
    since = place.stat().st_ctime_ns
    while place.stat().st_ctime_ns == since:
        place.touch()
    return since


@pytest.mark.parametrize("levels", [1, 3, KEPT - 1, KEPT, KEPT + 1, KEPT + 30])
def test_whether_a_folder_on_the_way_was_moved_shows_at_any_depth(tmp_path: Path, levels: int) -> None:
    top, parts = tmp_path / "top", ["d"] * (KEPT + 32)
    deep, moved = top.joinpath(*parts), top.joinpath(*parts[:levels])
    deep.mkdir(parents=True)
    (deep / "file").touch()
    name = os.fsencode((deep / "file").relative_to(top))
    since = _later(tmp_path / "clock")
    # What comes and goes in a folder does not move it.
    (moved / "new").touch()
    with Inodes(top) as inodes:
        assert inodes.status(name) and not inodes.way_moved(since)
        moved.rename(moved.parent / "away")
        (moved.parent / "away").rename(moved)
        assert inodes.status(b"d") and not inodes.way_moved(since)
        assert inodes.status(name) and inodes.way_moved(since)
        assert not inodes.way_moved(_later(tmp_path / "clock"))


def test_a_path_of_more_folders_than_may_stay_open_is_followed_to_its_end(tmp_path: Path) -> None:
    parts = ["d"] * (KEPT + 30)
    deep = tmp_path.joinpath(*parts)
    deep.mkdir(parents=True)
    (deep / "file").touch()
    (deep.parent / "file").touch()
    before = descriptors()
    with Inodes(tmp_path) as inodes:
        for folder in (deep, deep.parent, deep, tmp_path / "d", deep):
            status = inodes.status(os.fsencode((folder / "file").relative_to(tmp_path)))
            assert (status is not None) == (folder != tmp_path / "d")
            assert descriptors() <= before + KEPT + 2
    assert descriptors() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_another_filesystem_is_not_entered_on_any_way(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "none", inner), check=True)
    try:
        (inner / "below").mkdir()
        (inner / "below/file").touch()
        (inner / "file").touch()
        with Inodes(tmp_path) as inodes:
            for name in (b"inner/file", b"inner/below/file", b"inner/file", b"inner"):
                assert inodes.status(name) is None
    finally:
        subprocess.run(("umount", inner), check=True)


@pytest.mark.parametrize("most", [10_000, 0])
def test_numbers_are_those_of_the_inodes_in_whatever_order_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    # With 0 a folder is listed only as often as names were asked for.
    monkeypatch.setattr(looking, "MOST_LISTED", most)
    monkeypatch.setattr(looking, "TIMES_LISTED", 1)
    for number in range(40):
        (tmp_path / f"f{number % 2}").mkdir(exist_ok=True)
        file = tmp_path / f"f{number % 2}/\udcff{number}"
        file.touch()
        file.with_suffix(".twin").hardlink_to(file)
    (tmp_path / "link").symlink_to("f0")
    names = [
        *(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()),
        Path("f0/gone"),
        Path("x/y"),
    ]
    known = {os.fsencode(name): (tmp_path / name).stat().st_ino for name in names if (tmp_path / name).exists()}
    before = descriptors()
    with Inodes(tmp_path) as inodes:
        numbers = InodeNumbers(inodes)
        for name in (*names, *reversed(names), *sorted(names)):
            assert numbers.of(os.fsencode(name)) == known.get(os.fsencode(name))
        assert numbers.of(b"link/gone") is numbers.of(b"f0/..") is None
    assert descriptors() == before


def test_a_folder_that_lists_other_numbers_than_its_inodes_have_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / name).touch()
        (tmp_path / f"{name}.twin").hardlink_to(tmp_path / name)

    class Entry:
        """As a filesystem in user space may list it."""

        def __init__(self, entry: os.DirEntry[str]) -> None:
            self.name = entry.name

        def inode(self) -> int:
            return 0xFFFFFFFF

    @contextlib.contextmanager
    def listed(folder: int) -> Iterator[list[Entry]]:
        with real(folder) as entries:
            yield [Entry(entry) for entry in entries]

    real = os.scandir
    with Inodes(tmp_path) as inodes:
        numbers = InodeNumbers(inodes)
        with monkeypatch.context() as patched:
            patched.setattr(os, "scandir", listed)
            assert [numbers.of(name) for name in (b"a", b"b", b"x")] == [
                (tmp_path / "a").stat().st_ino, (tmp_path / "b").stat().st_ino, None,
            ]  # fmt: skip
