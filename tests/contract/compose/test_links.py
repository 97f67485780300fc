"""Which inode a name has: the sealed snapshot's wherever nothing differs, and link groups as they are at the source."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from runner.agent.compose import tree_compose
from tests.compare import differences, fingerprint, shared
from tests.contract.compose.world import OLD, World, compose_tree, made, seal_basis


@pytest.fixture
def world(tmp_path: Path) -> World:
    return made(tmp_path)


def write(world: World, *names: str, text: str = "text") -> None:
    """One file under all these names, with a time of its own."""
    first, *others = (world.source / name for name in names)
    first.parent.mkdir(exist_ok=True)
    first.write_text(text)
    os.utime(first, ns=(1, 1_600_000_000_000_000_001))
    for other in others:
        other.parent.mkdir(exist_ok=True)
        other.hardlink_to(first)


def composed(world: World, *touched: bytes, share: tuple[str, ...] = ()) -> tree_compose.ComposedTree:
    """Compose it, which must become the source and leave the sealed snapshot alone."""
    before = fingerprint(world.basis)
    done = compose_tree(world, world.prepare(touched), share)
    assert differences(world.source, world.place) == []
    assert fingerprint(world.basis) == before
    return done


def test_a_time_of_change_alone_takes_no_room(world: World) -> None:
    write(world, "alone")
    write(world, "pair", "pair too")
    (world.source / "link").symlink_to("/nonexistent")
    os.mkfifo(world.source / "fifo")
    seal_basis(world)
    names = (b"alone", b"fifo", b"link", b"pair", b"pair too")
    done = composed(world, *names)
    assert (done.kept, done.placed, done.removed) == (5, 0, 0)
    assert set(names) == shared(world.basis, world.place)


@pytest.mark.parametrize("change", ["content", "mode", "time", "owner", "attribute"])
def test_what_differs_in_one_way_is_another_inode(world: World, change: str) -> None:
    if change == "owner" and os.geteuid():
        pytest.skip("only root gives files away")
    write(world, "file")
    seal_basis(world)
    file = world.source / "file"
    if change == "content":
        write(world, "file", text="t3xt")
    elif change == "mode":
        file.chmod(0o4755)
    elif change == "time":
        os.utime(file, ns=(1, 1_600_000_001_000_000_001))
    elif change == "owner":
        os.chown(file, 1, 1)
    else:
        os.setxattr(file, "user.note", b"new")
    assert composed(world, b"file").placed == 1
    assert shared(world.basis, world.place) == set()


@pytest.mark.parametrize("fresh", ["!first", "z last", "sub/deeper"])
def test_a_group_that_grows_keeps_its_inode(world: World, fresh: str) -> None:
    write(world, "pair", "pair too")
    (world.source / "sub").mkdir()
    seal_basis(world)
    (world.source / fresh).hardlink_to(world.source / "pair")
    composed(world)
    assert shared(world.basis, world.place) == {b"pair", b"pair too"}


def test_a_group_that_shrinks_or_splits_keeps_its_inode_for_one_part(world: World) -> None:
    for name in ("shrunk", "split", "copied"):
        write(world, f"{name}1", f"{name}2", f"{name}3")
    seal_basis(world)
    (world.source / "shrunk1").unlink()
    (world.source / "split2").unlink()
    write(world, "split2")
    for name in ("copied2", "copied3"):
        (world.source / name).unlink()
    write(world, "copied2", "copied3")
    composed(world)
    assert shared(world.basis, world.place) == {b"shrunk2", b"shrunk3", b"split1", b"split3", b"copied1"}


def test_groups_that_merge_and_move(world: World) -> None:
    write(world, "a1", "a2")
    write(world, "b1", "b2")
    write(world, "old/1", "old/2")
    write(world, "other1", "other2", text="one")
    write(world, "third1", "third2", text="two")
    seal_basis(world)
    for name in ("b1", "b2", "third1", "third2"):
        (world.source / name).unlink()
        (world.source / name).hardlink_to(world.source / ("a1" if name[0] == "b" else "other2"))
    (world.source / "old").rename(world.source / "new")
    composed(world)
    assert shared(world.basis, world.place) == {b"a1", b"a2", b"other1", b"other2"}


def test_two_groups_that_exchange_their_names(world: World) -> None:
    write(world, "a1", "a2", text="one")
    write(world, "b1", "b2", text="two")
    seal_basis(world)
    for one, other in (("a1", "b1"), ("a2", "b2")):
        (world.source / one).rename(world.source / "between")
        (world.source / other).rename(world.source / one)
        (world.source / "between").rename(world.source / other)
    composed(world)


def test_a_group_that_has_no_room_for_more_names_is_another_inode(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(world, "pair", "pair too")
    seal_basis(world)
    (world.source / "third").hardlink_to(world.source / "pair")
    monkeypatch.setattr(tree_compose, "most_names", lambda _: 5)
    composed(world)
    assert shared(world.basis, world.place) == set()


def test_what_came_back_is_that_of_an_older_snapshot(world: World) -> None:
    for name in ("back", "other", "sub/back", "pair"):
        write(world, name)
    write(world, "pair", "pair too")
    seal_basis(world)
    shutil.copytree(world.basis, world.house.root / OLD, copy_function=os.link)
    for name in ("back", "sub/back", "pair", "pair too"):
        (world.source / name).unlink()
    # The basis has the older one's inode under another name.
    (world.house.root / OLD / "moved").hardlink_to(world.basis / "other")
    write(world, "other")
    (world.source / "moved").unlink(missing_ok=True)
    for name in ("back", "sub/back", "pair", "pair too"):
        (world.basis / name).unlink()
    (world.source / "sub").touch()
    os.utime(world.basis / "sub", ns=(1, (world.source / "sub").stat().st_mtime_ns))
    for name in ("back", "sub/back", "moved"):
        write(world, name)
    write(world, "pair", "pair too")
    old = fingerprint(world.house.root / OLD)
    composed(world, share=(f"{OLD}/", f"{OLD}/not there"))
    assert shared(world.house.root / OLD, world.place) == {b"back", b"sub/back", b"other"}
    assert fingerprint(world.house.root / OLD) == old


def test_an_older_inode_that_takes_no_more_names_is_not_linked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seal_basis(world)
    write(world, "back")
    shutil.copytree(world.source, world.house.root / OLD, dirs_exist_ok=True)
    names = world.prepare()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.EMLINK, "Too many links")

    monkeypatch.setattr(tree_compose.os, "link", full)
    compose_tree(world, names, (f"{OLD}/",))
    assert differences(world.source, world.place) == []
    assert shared(world.house.root / OLD, world.place) == set()
