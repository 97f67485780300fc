"""What counts as changed since a basis was begun, and when it is too much to be sent whole."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from runner.agent.look.entries import ENTRY, UNSURE, PackedFolder
from runner.agent.look.since import BYTES, NAMES, ChangedSince, began, changed_since


def folder(*rows: tuple[int, int, int]) -> PackedFolder:
    """A type, a size and a ctime for each name."""
    block = b"".join(ENTRY.pack(kind, 0, 0, size, 9, ctime, 1, 1) for kind, size, ctime in rows)
    return PackedFolder(b"", len(rows), 0, block + b"\0".join(b"%d" % number for number in range(len(rows))))


def changed(rows: Sequence[tuple[int, int, int]], moment: int = 100) -> tuple[int, int, int, int]:
    return changed_since(moment, iter([folder(*rows), folder()]))[1:]


@pytest.mark.parametrize(
    ("kind", "ctime", "names", "size"),
    [
        (stat.S_IFREG, 100, 0, 0),
        (stat.S_IFREG, 101, 1, 7),
        # What may have changed in the tick of the look is noted so.
        (stat.S_IFREG, -101, 1, 7),
        (stat.S_IFREG, -99, 0, 0),
        (stat.S_IFREG, UNSURE, 1, 7),
        (stat.S_IFLNK, 101, 1, 0),
        # A device has no length, whatever its number is; a folder is compared whole.
        (stat.S_IFBLK, 101, 1, 0),
        (stat.S_IFDIR, 101, 0, 0),
    ],
)
def test_each_sort_of_name_is_counted(kind: int, ctime: int, names: int, size: int) -> None:
    length = 7 if kind == stat.S_IFREG else 0
    assert changed([(kind, 7, ctime), (stat.S_IFREG, 5, 1)]) == (names, size, 2, length + 5)


def test_a_damaged_record_is_not_counted() -> None:
    with pytest.raises(ValueError):
        changed_since(1, iter([PackedFolder(b"", 3, 0, b"x")]))


@pytest.mark.parametrize(
    ("names", "size", "all_names", "all_size", "little"),
    [
        (0, 0, 0, 0, True),
        (NAMES, BYTES, NAMES, BYTES, True),
        (NAMES + 1, 0, NAMES + 1, 0, False),
        (100_000, 0, 1_000_000, 0, True),
        (100_001, 0, 1_000_000, 0, False),
        (1, BYTES + 1, 1_000_000, 0, False),
        (1, 10 << 30, 1_000_000, 100 << 30, True),
        (1, 1 + (10 << 30), 1_000_000, 100 << 30, False),
    ],
)
def test_it_is_little_up_to_a_tenth_of_a_large_source(
    names: int, size: int, all_names: int, all_size: int, *, little: bool
) -> None:
    assert ChangedSince(0, names, size, all_names, all_size).is_little is little


def test_it_begins_ten_minutes_before_the_name_of_the_basis() -> None:
    moment = datetime(2026, 11, 23, 8, 15, tzinfo=UTC) - timedelta(minutes=10)
    assert began("2026-11-23T081500Z") == int(moment.timestamp()) * 10**9
