"""Looking up names in a tree, and what of one is new: nothing outside is shown, and a look that failed is told."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from runner.agent import tree
from runner.agent.compose.copies import Copy
from runner.agent.inodes import Inodes
from tests.mounts import need_mounts
from tests.trees import deep


def test_names_are_looked_up_in_the_tree_and_nowhere_else(tmp_path: Path) -> None:
    for folder in ("top/folder/inner", "outside"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text("text")
    (tmp_path / "top/link").symlink_to("folder")
    (tmp_path / "way").symlink_to("top")
    with Inodes(tmp_path, "/top") as inodes:
        assert inodes.size(b"folder/inner/file") == inodes.size(b"folder//inner/file") == 4
        for path in (b"link/inner/file", b"folder/../folder/inner/file", b"../outside/file", b"..", b"", b"no/file"):
            assert inodes.status(path) is None, path
        assert inodes.size(b"folder/inner") is None and inodes.of(b"folder/inner/file") is None
        assert [name for name, _ in inodes.names()] == [b"folder", b"link", b"folder/inner", b"folder/inner/file"]
    with pytest.raises(OSError, match="Not a directory"):
        Inodes(tmp_path, "/way")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_what_is_mounted_in_a_tree_is_not_in_it(tmp_path: Path) -> None:
    (tmp_path / "top/mount").mkdir(parents=True)
    need_mounts()
    subprocess.run(("mount", "-t", "tmpfs", "tmpfs", tmp_path / "top/mount"), check=True)
    try:
        (tmp_path / "top/mount/inner").mkdir()
        (tmp_path / "top/mount/inner/file").touch()
        with Inodes(tmp_path / "top") as inodes:
            for path in (b"mount", b"mount/inner", b"mount/inner/file"):
                assert inodes.status(path) is None
            assert list(inodes.names()) == []
    finally:
        subprocess.run(("umount", tmp_path / "top/mount"), check=True)


def test_what_is_new_is_found_however_deep(tmp_path: Path) -> None:
    for name in ("new", "sealed"):
        (tmp_path / name).mkdir()
    deep(tmp_path / "new", 300, file="f")
    deep(tmp_path / "sealed", 100, file="f")
    with Copy(tmp_path / "new", [tmp_path / "sealed"], None).opened() as trees:
        assert sum(1 for _ in trees.added()) == 200 + 300
    # Python's own rmtree, which tidies up after tests, does not get to the end of it.
    subprocess.run(("rm", "-rf", "--", tmp_path / "new", tmp_path / "sealed"), check=True)


@pytest.mark.parametrize(("problem", "where"), [(errno.EIO, "new"), (errno.EIO, "sealed"), (errno.EACCES, "sealed")])
def test_a_look_that_failed_is_not_a_name_that_is_not_there(
    tmp_path: Path, problem: int, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("new", "sealed"):
        (tmp_path / name / "folder").mkdir(parents=True)
    (tmp_path / "new/folder/file").write_text("text")
    (tmp_path / "sealed/folder/file").hardlink_to(tmp_path / "new/folder/file")
    shut = (tmp_path / where / "folder").stat().st_ino
    real = tree.status

    def failing(parent: int, name: bytes) -> os.stat_result:
        if os.fstat(parent).st_ino == shut:
            raise OSError(problem, os.strerror(problem), name)
        return real(parent, name)

    monkeypatch.setattr(tree, "status", failing)
    with Copy(tmp_path / "new", [tmp_path / "sealed"], None).opened() as trees:
        if problem == errno.EACCES:
            # As it stays for who is not root: the snapshot must be sealed some day.
            assert list(trees.added()) == []
        else:
            with pytest.raises(OSError, match="Input/output error"):
                list(trees.added())
