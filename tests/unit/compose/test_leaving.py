"""What is counted while a snapshot is made, and which names it says are gone; the folders that nobody sent."""

from __future__ import annotations

import array
import gzip
import os
import random
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO, cast

import pytest

from runner.agent.compose.clone import beside
from runner.agent.compose.leaving import GoneNames, Leaving, Taken, gone_names, several


def status(inode: int, links: int, blocks: int = 2) -> os.stat_result:
    return cast(os.stat_result, SimpleNamespace(st_ino=inode, st_nlink=links, st_blocks=blocks))


def test_an_inode_has_left_once_its_last_name_in_the_clone_is_gone() -> None:
    counted = Leaving({7: 2, 8: 2})
    counted.goes(status(3, links=5))
    counted.goes(status(7, links=4))
    assert counted.taken == Taken(1024, 1)
    counted.goes(status(7, links=3, blocks=8))
    assert counted.taken == Taken(1024 + 4096, 2)


def test_what_comes_back_has_not_left_and_what_was_only_sent_never_was_anybodys() -> None:
    counted = Leaving({7: 2})
    for _ in range(2):
        counted.goes(status(7, links=4))
    counted.comes(7)
    counted.comes(9)
    counted.goes(status(9, links=1))
    assert counted.taken == Taken(0, 0)


@pytest.mark.parametrize("at_once", [3, 7, 1000])
def test_groups_are_found_whatever_is_counted_at_once(at_once: int) -> None:
    inodes = [*range(20), 3, 3, 19, 0]
    random.Random(1).shuffle(inodes)
    assert several(array.array("Q", inodes), at_once) == {3: 3, 19: 2, 0: 2}
    assert several(array.array("Q")) == {}
    assert several(array.array("Q", inodes), at_once, most=2) is None


def test_what_is_in_a_folder_that_is_gone_is_gone() -> None:
    gone = GoneNames({b"a/file", b"top"}, {b"a/folder", b"b"})
    there = (b"a/other", b"a/file2", b"top2", b"bb/x", b"a/folders/x", b"c/b/x", b"x")
    went = {b"a/file", b"top", b"b/x", b"b/y/z", b"a/folder/x"}
    assert gone.among([*there, *went]) == went
    assert gone.among(there) == set()
    assert gone.among([]) == set()


def test_names_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "gone.gz"
    with gzip.open(path, "wb") as file:
        for place in (b"", b"home"):
            counted = Leaving({}, cast(BinaryIO, file), place)
            counted.name(b"a\nb\xff\\#012 c", is_folder=False)
            counted.name(b"d ", is_folder=True)
    gone = gone_names(path)
    assert gone
    went = {b"a\nb\xff\\#012 c", b"home/a\nb\xff\\#012 c", b"home/d /x", b"d /x/y"}
    assert gone.among({*went, b"a", b"d", b"home", b"home/x"}) == went
    assert gone_names(path, most=3) is None
    path.write_bytes(path.read_bytes()[:-9])
    assert gone_names(path) is None
    assert gone_names(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("points", "folders"),
    [
        ([()], []),
        ([(), (b"srv", b"one")], []),
        ([(b"home",), (b"srv",)], [()]),
        ([(b"srv", b"one", b"deep"), (b"srv", b"two")], [(), (b"srv",), (b"srv", b"one")]),
        ([(b"srv",), (b"srv", b"one", b"deep")], [()]),
    ],
)
def test_folders_that_are_in_no_filesystem(points: list[tuple[bytes, ...]], folders: list[tuple[bytes, ...]]) -> None:
    assert list(beside(points)) == folders
