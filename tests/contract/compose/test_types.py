"""Whatever a name was, and whatever it is now."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.agent.compose.settled import Fates
from tests.compare import differences, fingerprint, walk
from tests.contract.compose.world import compose_tree, made, seal_basis
from tests.trees import ACCESS, DEFAULT, USER_1001, USER_1002, set_acl

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="devices and owners need root")


def _folder(path: Path) -> None:
    (path / "in/deeper").mkdir(parents=True)
    (path / "file").write_text("text")
    (path / "in/deeper/file").write_text("text")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(path.parent, os.O_DIRECTORY)
        listener.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)


KINDS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "file": lambda path: path.write_text(path.name),
    "folder": _folder,
    "empty": Path.mkdir,
    "link": lambda path: path.symlink_to("/nonexistent"),
    "away": lambda path: path.symlink_to(path.parents[2] / "outside"),
    "fifo": os.mkfifo,
    "socket": _socket,
    "device": lambda path: os.mknod(path, 0o20600, os.makedev(1, 3)),
}


@root_only
@pytest.mark.parametrize("order", ["sorted", "reversed", "mixed"])
def test_every_change_of_type(tmp_path: Path, order: str) -> None:
    world = made(tmp_path)
    outside = tmp_path / "outside"
    _folder(outside)
    top = world.source / "top"
    top.mkdir()
    for was, now in itertools.product(KINDS, repeat=2):
        KINDS[was](top / f"{was} to {now}")
    seal_basis(world)
    for path in top.iterdir():
        os.system(f"rm -rf '{path}'")
    for was, now in itertools.product(KINDS, repeat=2):
        KINDS[now](top / f"{was} to {now}")
    before, kept = fingerprint(world.basis), fingerprint(outside)
    names = world.prepare()
    if order == "reversed":
        names.reverse()
    elif order == "mixed":
        random.Random(1).shuffle(names)
    compose_tree(world, names)
    assert differences(world.source, world.place) == []
    assert fingerprint(world.basis) == before
    assert fingerprint(outside) == kept


@root_only
def test_a_mount_point_becomes_a_link_to_a_folder_of_the_host_and_back(tmp_path: Path) -> None:
    world = made(tmp_path)
    outside = tmp_path / "outside"
    _folder(outside)
    # In the clone a mount point is an empty folder: what is mounted there is a filesystem of its own.
    (world.source / "home").mkdir()
    (world.source / "was link").symlink_to(outside)
    seal_basis(world)
    (world.source / "home").rmdir()
    (world.source / "home").symlink_to(outside)
    (world.source / "was link").unlink()
    (world.source / "was link").mkdir(0o711)
    (world.source / "was link/file").write_text("text")
    kept = fingerprint(outside)
    # A list may say what was below the folder, too.
    compose_tree(world, [b"home/file", b"home/in/deeper", *world.prepare(), b"home/file"])
    assert differences(world.source, world.place) == []
    assert fingerprint(outside) == kept


@root_only
def test_attributes_of_folders_and_their_lists_of_access(tmp_path: Path) -> None:
    world = made(tmp_path)
    for name in ("plain", "with", "inner/inner", "work"):
        (world.source / name).mkdir(parents=True)
    set_acl(os.fsencode(world.source / "with"), ACCESS, USER_1001)
    set_acl(os.fsencode(world.source / "with"), DEFAULT, USER_1002)
    set_acl(os.fsencode(world.source / "inner"), DEFAULT, USER_1002)
    (world.source / "work/file").write_text("text")
    os.utime(world.source / "work", (1, 1))
    seal_basis(world)
    for key in (ACCESS, DEFAULT):
        os.removexattr(world.source / "with", key)
        set_acl(os.fsencode(world.source / "plain"), key, USER_1002)
    os.chown(world.source / "inner/inner", 5, 6)
    (world.source / "inner/inner").chmod(0o2770)
    # A new folder in one with a default list has the list; this one lost it.
    (world.source / "inner/new").mkdir()
    for key in os.listxattr(world.source / "inner/new"):
        os.removexattr(world.source / "inner/new", key)
    os.setxattr(world.source, "user.top", b"\0\xff")
    world.source.chmod(0o1777)
    # Changed in its place, so that the time of its folder is what it was.
    (world.source / "work/file").write_text("other")
    compose_tree(world, world.prepare())
    assert differences(world.source, world.place) == []
    assert walk(world.place)[b"work"].mtime_ns == 10**9


def test_what_was_sent_by_a_try_that_was_interrupted_and_is_gone_since(tmp_path: Path) -> None:
    world = made(tmp_path)
    for name in ("file", "folder/inner", "link/inner"):
        (world.source / name).parent.mkdir(exist_ok=True)
        (world.source / name).write_text("text")
    seal_basis(world)
    for name in ("file", "folder/inner", "link/inner"):
        (world.source / name).write_text("other")
    world.prepare()
    # Nothing of it was composed, and all of it changes again.
    os.system(f"rm -r {world.source}/*")
    (world.source / "link").symlink_to("/nonexistent")
    names = world.prepare()
    gone = frozenset(name for name in names if name not in walk(world.source))
    compose_tree(world, names, fates=Fates(gone=gone))
    assert differences(world.source, world.place) == []


def test_what_was_sent_long_ago_and_is_not_listed_stays_behind(tmp_path: Path) -> None:
    world = made(tmp_path)
    (world.source / "folder").mkdir()
    (world.source / "folder/file").write_text("text")
    seal_basis(world)
    (world.source / "folder/file").write_text("other")
    names = world.prepare()
    (world.incoming / "stale").write_text("stale")
    (world.incoming / "folder/stale").mkdir()
    (world.incoming / "folder").chmod(0o700)
    compose_tree(world, names)
    assert differences(world.source, world.place) == []
    assert sorted(path.name for path in world.incoming.rglob("*")) == ["folder", "stale", "stale"]
