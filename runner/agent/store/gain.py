"""Counting links: an inode is freed with the last of its names, wherever the others were."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .. import tree
from ..walk import folders
from . import inventory
from .layout import Store

BLOCK = 512


class Gain(NamedTuple):
    """What is gained, in bytes and inodes, by everything up to and with snapshot `name`."""

    name: str
    bytes: int
    inodes: int


class Counter:
    """Inodes freed so far; keeps the number of names seen of those that still have others."""

    def __init__(self) -> None:
        self.bytes = 0
        self.inodes = 0
        self._seen: dict[int, int] = {}

    def add(self, found: os.stat_result, *, folder: bool) -> None:
        """Count one name of an inode. A folder goes with its only name."""
        seen = 1 if folder or found.st_nlink == 1 else self._seen.pop(found.st_ino, 0) + 1
        if not folder and seen < found.st_nlink:
            self._seen[found.st_ino] = seen
            return
        # st_blocks counts in units of 512 bytes, holes left out, indirect blocks included; stat(2).
        self.bytes += found.st_blocks * BLOCK
        self.inodes += 1


def gains(store: Store, names: Sequence[str]) -> list[Gain]:
    """The gain of expiring and reaping the sealed snapshots `names` in this order, cumulatively.

    What is in the trash already counts as gone: an inode whose last name besides the trash is in a
    snapshot is that snapshot's gain. What is kept about its host counts, its records do not. Memory grows
    with the inodes that have names elsewhere. Raises OSError.
    """
    counter = Counter()
    _count(counter, store.trash)
    bytes_before, inodes_before = counter.bytes, counter.inodes
    return list(_gains(counter, store, names, (bytes_before, inodes_before)))


def _gains(counter: Counter, store: Store, names: Sequence[str], before: tuple[int, int]) -> Iterator[Gain]:
    for name in names:
        _count(counter, store.root / name)
        _count(counter, inventory.place(store, name))
        yield Gain(name, counter.bytes - before[0], counter.inodes - before[1])


def _count(counter: Counter, top: Path) -> None:
    try:
        root = os.open(top, tree.FOLDER)
    except FileNotFoundError:
        return
    try:
        counter.add(os.fstat(root), folder=True)
        for folder in folders(root):
            for entry in folder.entries:
                counter.add(entry.status, folder=entry.is_folder)
    finally:
        os.close(root)
