"""Going through a tree that nobody changes, one folder at a time, never onto another device."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from . import tree


class Entry(NamedTuple):
    """A name in a folder and what lstat(2) says of it."""

    name: bytes
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder itself, not a link to one."""
        return stat.S_ISDIR(self.status.st_mode)


class Folder(NamedTuple):
    """An open folder (only until the next one is asked for), its path below the top, its entries by name."""

    descriptor: int
    path: bytes
    entries: list[Entry]


def folders(root: int) -> Iterator[Folder]:
    """Every folder of the tree below the open folder `root`, itself first (path b""), parents first.

    Paths are opened from `root`, so that they may be as long as rsync can make them. Names that vanish
    meanwhile are left out; any other OSError is raised. Memory grows with the folders still to do.
    """
    device = os.fstat(root).st_dev
    waiting = [b""]
    while waiting:
        path = waiting.pop()
        try:
            descriptor = os.open(path or b".", tree.FOLDER, dir_fd=root)
        except FileNotFoundError:
            continue
        try:
            if os.fstat(descriptor).st_dev != device:
                continue
            entries = list(_entries(descriptor, device))
            yield Folder(descriptor, path, entries)
        finally:
            os.close(descriptor)
        below = [each.name for each in reversed(entries) if each.is_folder]
        waiting.extend(path + b"/" + name if path else name for name in below)


def _entries(descriptor: int, device: int) -> Iterator[Entry]:
    for name in sorted(os.fsencode(each) for each in os.listdir(descriptor)):
        try:
            found = tree.status(descriptor, name)
        except FileNotFoundError:
            continue
        if found.st_dev == device:
            yield Entry(name, found)
