"""How much of its work an audit takes on at a time, and what it remembers of files that snapshots share."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import cast

import pytest

from runner.agent.retention.contents import GROWTH, at_once
from runner.agent.retention.manifest import Digests

FILE, FOLDER = 0o100644, 0o040755


@pytest.mark.parametrize(
    ("done", "seconds", "left", "expected"),
    [
        (0, 0.0, 100.0, 1),
        (0, 3.0, 100.0, 1),
        (1, 0.0, 100.0, GROWTH),
        (1, 0.001, 100.0, GROWTH),
        (9, 0.001, 100.0, 9 * GROWTH),
        (1, 10.0, 100.0, 5),
        (100, 10.0, 10.0, 50),
        (100, 10.0, 0.1, 1),
        (100, 10.0, 0.0, 1),
        (100, 10.0, -5.0, 1),
    ],
)
def test_after_one_share_as_many_are_read_as_fit_half_of_the_time_left(
    done: int, seconds: float, left: float, expected: int
) -> None:
    assert at_once(done, seconds, left) == expected


def status(inode: int, mode: int = FILE, links: int = 2, device: int = 1) -> os.stat_result:
    return cast(os.stat_result, SimpleNamespace(st_ino=inode, st_mode=mode, st_nlink=links, st_dev=device))


def test_what_several_names_share_is_remembered_on_its_device_and_nothing_else() -> None:
    digests = Digests()
    digests.add(7, status(7), b"seven")
    digests.add(8, status(8, links=1), b"eight")
    digests.add(9, status(9, FOLDER), b"nine")
    assert [digests.on(1).get(inode) for inode in (7, 8, 9)] == [b"seven", None, None]
    assert not digests.on(2)


def test_where_folders_list_other_numbers_nothing_is_known_by_number() -> None:
    digests = Digests()
    digests.add(7, status(7), b"seven")
    digests.add(8, status(1008, links=1), b"eight")
    digests.add(9, status(9), b"nine")
    assert [digests.on(1).get(inode) for inode in (7, 8, 9)] == [None, None, None]


def test_no_more_is_remembered_than_has_room() -> None:
    digests = Digests(most=2)
    for inode in (7, 8, 9):
        digests.add(inode, status(inode), b"%d" % inode)
    assert [digests.on(1).get(inode) for inode in (7, 8, 9)] == [b"7", b"8", None]
