"""Names looked up in a tree by the folders on the way to them, which stay open from one name to the next."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runner.agent.inodes import KEPT, Inodes


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
