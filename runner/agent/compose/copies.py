"""Where a filesystem of a new snapshot is, and what of it is new: no sealed snapshot has that inode at that name."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from ..inodes import Inodes


class Copy(NamedTuple):
    """A filesystem of the new snapshot: where it is, and the sealed folders that it may share files with."""

    place: Path
    shared: Sequence[Path]
    names: Optional[int]  # noqa: UP045

    @contextlib.contextmanager
    def opened(self) -> Iterator[CopyTrees]:
        """The trees, open; a sealed folder that is not there shares nothing."""
        with contextlib.ExitStack() as trees:
            known = [trees.enter_context(Inodes(each)) for each in self.shared if each.is_dir()]
            yield CopyTrees(trees.enter_context(Inodes(self.place)), known)


class CopyTrees(NamedTuple):
    """The same, open."""

    copy: Inodes
    shared: Sequence[Inodes]

    def new(self, path: bytes) -> os.stat_result | None:
        """What the new snapshot has at this name; None for nothing, and for what is not new there.

        A sealed one has that inode there too, or something of the same type that is no file: that is merely changed.
        """
        status = _at(self.copy, path)
        return None if status is None or self._is_known(path, status) else status

    def added(self) -> Iterator[os.stat_result]:
        """Every inode that is new: no sealed snapshot has it at that name, and what is no file is not merely changed.

        One that has other names than those that are new here is a sealed snapshot's already.
        """
        groups: dict[int, int] = {}
        for path, status in self.copy.names():
            if self._is_known(path, status):
                continue
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                groups[status.st_ino] = groups.get(status.st_ino, 0) + 1
                if groups[status.st_ino] < status.st_nlink:
                    continue
            yield status

    def _is_known(self, path: bytes, status: os.stat_result) -> bool:
        known = (_at(tree, path) for tree in self.shared)
        is_file = stat.S_ISREG(status.st_mode)
        return any(
            _is_same(each, status) or (not is_file and _is_of_type(each, status)) for each in known if each is not None
        )


def _at(inodes: Inodes, path: bytes) -> os.stat_result | None:
    """What is at this name in a tree; None where nothing is, or where it is closed to us."""
    try:
        return inodes.status(path)
    except PermissionError:
        return None


def _is_same(other: os.stat_result, status: os.stat_result) -> bool:
    return (other.st_ino, other.st_dev) == (status.st_ino, status.st_dev)


def _is_of_type(other: os.stat_result, status: os.stat_result) -> bool:
    return stat.S_IFMT(other.st_mode) == stat.S_IFMT(status.st_mode)
