"""What `settle` tells of listed names: gone, staying, replaced; and that the counts hold with each of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from runner.agent.compose.settled import Fates
from runner.agent.compose.tree_compose import ComposedTree
from tests.compare import differences, walk
from tests.contract.compose.world import World, compose_tree, made, seal_basis

NEW = (b"new", b"new/in", b"new/in/a", b"new/in/b", b"new/z")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = made(tmp_path)
    for name in ("old/file", "old/in/file"):
        (world.source / name).parent.mkdir(parents=True, exist_ok=True)
        (world.source / name).write_text("text")
    (world.source / "odd").write_text("text")
    seal_basis(world)
    return world


def _composed(world: World, names: list[bytes], told: Fates) -> ComposedTree:
    """The tree, whose names are as many as its counts say."""
    composed = compose_tree(world, names, fates=told)
    now = len(walk(world.basis)) - composed.removed + composed.names_placed
    assert now == len(walk(world.place))
    return composed


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ((), NEW),
        # By what was seen first they are gone, and what is in them is there: so they are, once each.
        ((b"new",), NEW),
        ((b"new", b"new/in"), NEW),
        ((b"new/in",), NEW),
        ((b"new", b"new/in", b"new/in/a"), (b"new", b"new/in", b"new/in/b", b"new/z")),
        ((b"new", b"new/in", b"new/in/a", b"new/in/b"), (b"new", b"new/z")),
        ((b"new", b"new/in", b"new/z"), (b"new", b"new/in", b"new/in/a", b"new/in/b")),
        # A folder is not made for what is gone.
        (NEW, ()),
        ((b"new/in", b"new/in/a", b"new/in/b"), (b"new", b"new/z")),
    ],
)
def test_a_folder_that_is_gone_is_there_for_what_is_in_it(
    world: World, gone: tuple[bytes, ...], left: tuple[bytes, ...]
) -> None:
    (world.source / "new/in").mkdir(parents=True)
    for name in ("new/in/a", "new/in/b", "new/z"):
        (world.source / name).write_text("text")
    names = world.prepare()
    assert names == sorted(NEW)
    composed = _composed(world, names, Fates(gone=frozenset(gone)))
    known = walk(world.place)
    assert {name for name in known if name.startswith(b"new")} == set(left)
    assert composed.missing == len(NEW) - len(left)
    there = walk(world.source)
    assert all(known[name] == there[name] for name in left)
    assert composed.unsent == b""


def test_a_folder_that_stays_keeps_what_is_not_listed(world: World) -> None:
    (world.source / "old/in/file").write_text("other")
    (world.source / "old/in/more").write_text("text")
    names = world.prepare([b"old"])
    assert names == [b"old", b"old/in", b"old/in/file", b"old/in/more"]
    shutil.rmtree(world.incoming / "old")
    kept = walk(world.place)
    told = Fates(stays=frozenset((b"old", b"old/in")))
    composed = _composed(world, names, told)
    assert (composed.kept, composed.missing, composed.unsent) == (2, 2, b"old/in/file")
    assert walk(world.place) == {name: kept[name] for name in kept if name != b"old/in/file"} | {
        b".": walk(world.source)[b"."]
    }


def test_a_folder_that_stays_and_was_sent_is_as_it_was_sent(world: World) -> None:
    (world.source / "old").chmod(0o700)
    (world.source / "old/more").write_text("text")
    composed = _composed(world, world.prepare(), Fates(stays=frozenset((b"old", b"old/more"))))
    assert (composed.kept, composed.missing) == (0, 0)
    assert differences(world.source, world.place) == []


@pytest.mark.parametrize("other", ["file", "link", "nothing"])
def test_what_stays_and_is_no_folder_in_the_clone_goes(world: World, other: str) -> None:
    (world.source / "odd").unlink()
    (world.source / "odd/in").mkdir(parents=True)
    names = world.prepare()
    assert names == [b"odd", b"odd/in"]
    shutil.rmtree(world.incoming / "odd")
    if other != "file":
        (world.place / "odd").unlink()
        if other == "link":
            (world.place / "odd").symlink_to("old")
    composed = compose_tree(world, names, fates=Fates(stays=frozenset(names)))
    assert (composed.removed, composed.missing, composed.kept) == (other != "nothing", 2, 0)
    assert not os.path.lexists(world.place / "odd")
    assert (world.place / "old/in/file").is_file()


@pytest.mark.parametrize("sent", ["file", "folder", "nothing"])
def test_of_what_was_replaced_nothing_is_left(world: World, sent: str) -> None:
    shutil.rmtree(world.source / "old")
    (world.source / "old").write_text("text")
    names = world.prepare()
    assert names == [b"old"]
    if sent != "file":
        (world.incoming / "old").unlink()
    if sent == "folder":
        (world.incoming / "old").mkdir(0o750)
    composed = _composed(world, names, Fates(replaced=frozenset(names)))
    assert (composed.removed, composed.missing) == (4, sent == "nothing")
    left = {name: entry.kind for name, entry in walk(world.place).items() if name.startswith(b"old")}
    assert left == ({} if sent == "nothing" else {b"old": sent})
