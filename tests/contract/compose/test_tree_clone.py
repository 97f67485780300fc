"""A clone of a tree is exact, whatever is in its place, and nothing of the tree is touched."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent import protected
from runner.agent.answer import Refused
from runner.agent.compose import basis
from runner.agent.compose.tree_clone import TreeClone
from tests.compare import differences, fingerprint, walk
from tests.contract.compose.clone_parts import Tree, clone, inodes, killed, make, opened, pool, require_clone
from tests.contract.disks.test_disks import disk
from tests.mounts import need_mounts
from tests.trees import change_tree, deep, make_tree

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NODES = st.recursive(
    st.integers(0, 8), lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4), max_leaves=10
)
TREES = st.dictionaries(st.sampled_from("abcd"), NODES, max_size=4)
CHANGES = ("link", "mkdir", "unlink", "rmdir", "fchmod", "fchown", "utime", "setxattr", "removexattr")


def test_a_tree_of_all_that_is_hard_is_cloned_from_nothing_and_again(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    make_tree(original, files=100)
    before = fingerprint(original)
    work = clone(original, copy)
    require_clone(original, copy, work)
    assert (work.kept, work.removed) == (0, 0)
    again = clone(original, copy)
    require_clone(original, copy, again)
    assert (again.linked, again.removed, again.kept) == (0, 0, work.linked)
    assert fingerprint(original) == before


def test_an_older_clone_becomes_the_newer_tree_and_only_what_differs_is_linked(tmp_path: Path) -> None:
    older, newer, copy = tmp_path / "older", tmp_path / "newer", tmp_path / "copy"
    make_tree(older, files=100)
    subprocess.run(("cp", "-a", older, tmp_path / "changed"), check=True)
    change_tree(tmp_path / "changed", seed=1)
    argv = ("rsync", "-aHAX", "--modify-window=-1", "--link-dest", older, f"{tmp_path}/changed/", newer)
    subprocess.run(argv, check=True)
    clone(older, copy)
    before = [fingerprint(each) for each in (older, newer)]
    work = clone(newer, copy)
    require_clone(newer, copy, work)
    assert 0 < work.linked < work.kept // 4
    assert work.removed
    assert [fingerprint(each) for each in (older, newer)] == before


@given(TREES, TREES)
def test_any_tree_becomes_a_clone_of_any_other(original: Tree, start: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        pool(top / "pool")
        make(top / "original", original, top / "pool", 1)
        make(top / "copy", start, top / "pool", 2)
        if os.geteuid():
            subprocess.run(("chmod", "-R", "u+rwx", top / "original"), check=True)
        before = [fingerprint(top / each) for each in ("pool", "original")]
        require_clone(top / "original", top / "copy", clone(top / "original", top / "copy"))
        assert [fingerprint(top / each) for each in ("pool", "original")] == before


def test_a_tree_may_be_deeper_than_paths_are_long_and_more_folders_than_files_are_open(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    deep(original, 400, "a longer name", "file")
    work = clone(original, copy)
    assert (work.folders, work.linked) == (401, 400)
    listed = [
        subprocess.run(("find", top, *what), check=True, capture_output=True).stdout.replace(os.fsencode(top), b"")
        for top in (original, copy)
        for what in (("!", "-type", "d", "-printf", "%p %i\n"), ("-type", "d", "-printf", "%p %m %U %G %T@\n"))
    ]
    assert listed[:2] == listed[2:]
    (copy / "a longer name/file").unlink()
    again = clone(original, copy)
    assert (again.folders, again.kept, again.linked) == (401, 399, 1)
    (tmp_path / "empty").mkdir()
    assert clone(tmp_path / "empty", copy).removed == 800
    assert list(copy.iterdir()) == []
    subprocess.run(("rm", "-rf", original), check=True)


def test_few_at_once_is_the_same_as_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basis, "FOLDERS", 2)
    make_tree(tmp_path / "original", files=30)
    require_clone(tmp_path / "original", tmp_path / "copy", clone(tmp_path / "original", tmp_path / "copy"))


def test_what_other_filesystems_have_in_the_tree_is_left_out_and_their_folders_stay(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    make_tree(original, files=20)
    points = (("links", "a"), ("special",), ("special", "unwritable"), ("none",), ("odd", "in0"))
    clone(original, copy)
    work = clone(original, copy, points)
    below = tuple("/".join(point) for point in points)
    listed = walk(original, below=below)
    assert differences(original, copy, below=below) == []
    assert work.names == len(listed)


def test_no_file_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tree(tmp_path / "original", files=20)

    def never(*given: object, **named: object) -> None:
        raise AssertionError(given)

    (tmp_path / "copy").mkdir()
    (tmp_path / "scratch").mkdir()
    with opened(tmp_path / "original", tmp_path / "copy", tmp_path / "scratch") as descriptors:
        monkeypatch.setattr(os, "stat", never)
        monkeypatch.setattr(os, "lstat", never)
        TreeClone(*descriptors).make()


def limited(most: int) -> Callable[..., None]:
    """A link(2) of a filesystem where an inode has so many names at most."""
    real = os.link

    def link(source: Any, target: Any, **named: Any) -> None:
        if os.stat(source, dir_fd=named.get("src_dir_fd"), follow_symlinks=False).st_nlink >= most:
            raise OSError(errno.EMLINK, os.strerror(errno.EMLINK), source)
        real(source, target, **named)

    return link


@pytest.mark.parametrize("start", ["nothing", "an older clone"])
def test_a_group_that_takes_no_more_links_joins_one_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    for folder in ("a", "b/c", "z"):
        (original / folder).mkdir(parents=True)
    with (original / "a/file").open("wb") as stream:
        stream.write(b"begin")
        stream.seek(20 << 20)
        stream.write(b"island")
        stream.truncate(40 << 20)
    os.setxattr(original / "a/file", "user.x", b"y")
    (original / "a/file").chmod(0o4711)
    os.utime(original / "a/file", ns=(5, 1_600_000_000_123_456_789))
    (original / "a/symlink").symlink_to("nowhere")
    os.utime(original / "a/symlink", ns=(5, 7), follow_symlinks=False)
    os.mkfifo(original / "a/fifo", 0o612)
    (original / "z/alone").write_text("alone")
    for name in ("file", "symlink", "fifo"):
        for other in ("b/1", "b/c/2", "z/3"):
            os.link(original / "a" / name, original / f"{other}{name}", follow_symlinks=False)
    if start != "nothing":
        clone(original, copy)
        (copy / "z/3file").unlink()
        (copy / "b/2").write_text("garbage")
    before = fingerprint(original)
    monkeypatch.setattr(os, "link", limited(6 if start == "nothing" else 7))
    work = clone(original, copy)
    groups = ("file", "symlink", "fifo") if start == "nothing" else ("file",)
    assert (work.copied, work.names) == (len(groups), len(walk(original)))
    assert differences(original, copy) == []
    ours, theirs = inodes(original), inodes(copy)
    assert {name for name in ours if ours[name] != theirs[name]} == {
        name for name in ours if any(name.endswith(group.encode()) for group in groups)
    }
    assert fingerprint(original) == before
    again = clone(original, copy)
    assert differences(original, copy) == []
    assert again.names == work.names


@needs_root
def test_ext3_takes_no_more_links_and_chattr_takes_none(tmp_path: Path) -> None:
    with disk(tmp_path) as mount:
        original, others, copy = mount / "original", mount / "others", mount / "copy"
        for folder in (original, others):
            folder.mkdir()
        (original / "first").write_text("text")
        os.link(original / "first", original / "second")
        with pytest.raises(OSError, match="Too many links"), opened(original, others) as (source, target):
            for number in range(66000):
                os.link("first", str(number), src_dir_fd=source, dst_dir_fd=target)
        (others / "0").unlink()
        (original / "protected").write_text("by chattr")
        os.link(original / "protected", others / "protected")
        (others / "wrong").write_text("in the way")
        copy.mkdir()
        os.link(others / "wrong", copy / "first")
        (copy / "folder").mkdir()
        (copy / "folder/file").write_text("text")
        flagged = [original / "protected", others / "wrong", copy / "folder", copy]
        subprocess.run(("chattr", "+i", *flagged), check=True)
        before = fingerprint(original)
        try:
            work = clone(original, copy)
            assert (work.names, work.copied, work.linked, work.removed) == (4, 2, 1, 3)
            assert differences(original, copy) == []
            assert fingerprint(original) == before
            assert [_is_immutable(path) for path in (*flagged[:2], copy, copy / "protected")] == [
                True,
                True,
                False,
                False,
            ]
        finally:
            subprocess.run(("chattr", "-i", *flagged[:2]), check=True)


def _is_immutable(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return bool(protected.flags(descriptor) & protected.IMMUTABLE)
    finally:
        os.close(descriptor)


@needs_root
@pytest.mark.parametrize("place", ["original/a/b", "copy/a/b", "copy/a/wrong", "original/a/file", "copy/a/gone"])
def test_what_is_mounted_in_either_tree_is_refused_and_stays(tmp_path: Path, place: str) -> None:
    need_mounts()
    (tmp_path / "original/a/b").mkdir(parents=True)
    (tmp_path / "original/a/file").write_text("file")
    (tmp_path / "copy/a/b").mkdir(parents=True)
    for name in ("wrong", "b"):
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        (tmp_path / "elsewhere" / name).write_text("somebody's")
    (tmp_path / "copy/a/wrong").mkdir()
    (tmp_path / "copy/a/gone").write_text("a file")
    what = tmp_path / "elsewhere" if (tmp_path / place).is_dir() else tmp_path / "elsewhere/wrong"
    subprocess.run(("mount", "--bind", what, tmp_path / place), check=True)
    try:
        with pytest.raises(Refused, match="mounted|removed"):
            clone(tmp_path / "original", tmp_path / "copy")
        assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["b", "wrong"]
    finally:
        subprocess.run(("umount", tmp_path / place), check=True)


def test_killed_at_any_change_it_is_made_good_by_the_next(tmp_path: Path) -> None:
    pool(tmp_path / "pool")
    original: Tree = {"a": {"b": 0, "c": {"d": 4, "a": 8}, "d": 2}, "b": 4, "c": 1, "d": {"a": {}}}
    start: Tree = {"a": {"b": 4, "c": 3, "x": {"y": 5, "z": 7}}, "b": {"a": 4}, "c": 1, "d": {"a": 6}}
    make(tmp_path / "original", original, tmp_path / "pool", 1)
    before = [fingerprint(tmp_path / each) for each in ("pool", "original")]
    copy, last = tmp_path / "copy", 0
    while True:
        subprocess.run(("rm", "-rf", copy), check=True)
        make(copy, start, tmp_path / "pool", 2)
        if not killed(lambda: clone(tmp_path / "original", copy), last, CHANGES):
            break
        require_clone(tmp_path / "original", copy, clone(tmp_path / "original", copy))
        assert [fingerprint(tmp_path / each) for each in ("pool", "original")] == before
        last += 1
    assert last > 30
