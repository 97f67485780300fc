"""Looking up names in a tree: which inode is where."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

from . import tree


class Inodes:
    """Looks up names in one tree; the folder of the last name stays open, since lists go by folder.

    The tree is at `below` in `top`. No link is followed, in it or on the way to it, and no other filesystem entered.
    Raises OSError where it could not look: that is not a name that is not there.
    """

    def __init__(self, top: Path, below: str = "/") -> None:
        self._root = tree.above(str(top), (*tree.components(below), b"."))
        self._device = os.fstat(self._root).st_dev
        self._folder: Optional[int] = None  # noqa: UP045
        self._path: Optional[bytes] = None  # noqa: UP045

    def of(self, path: bytes) -> Optional[int]:  # noqa: UP045
        """The inode of `path`; None where there is none, or where no second snapshot can share it."""
        status = self.status(path)
        return status.st_ino if status and status.st_nlink > 1 else None

    def size(self, path: bytes) -> Optional[int]:  # noqa: UP045
        """How long the file at `path` is; None where there is none."""
        status = self.status(path)
        return status.st_size if status and stat.S_ISREG(status.st_mode) else None

    def status(self, path: bytes) -> Optional[os.stat_result]:  # noqa: UP045
        """What is at `path`; None where nothing is."""
        parent, _, name = path.rpartition(b"/")
        if parent != self._path:
            self._enter(parent)
        if self._folder is None or name == b"..":
            return None
        try:
            status = tree.status(self._folder, name)
        except OSError as problem:
            if not tree.is_absence(problem):
                raise
            return None
        return status if status.st_dev == self._device else None

    def names(self) -> Iterator[tuple[bytes, os.stat_result]]:
        """Every name in the tree, a folder before what is in it; but none of what is closed to us, who are not root."""
        for folder in tree.folders(self._root, closed=True):
            for entry in folder.entries:
                yield folder.path + b"/" + entry.name if folder.path else entry.name, entry.status

    def _enter(self, parent: bytes) -> None:
        self._leave()
        parts = tuple(filter(None, parent.split(b"/")))
        if b".." not in parts:
            self._folder = self._opened(parts)
        self._path = parent

    def _opened(self, parts: Sequence[bytes]) -> Optional[int]:  # noqa: UP045
        here = os.dup(self._root)
        for part in parts:
            try:
                deeper = tree.folder(here, part)
            except OSError as problem:
                if not tree.is_absence(problem):
                    raise
                return None
            finally:
                os.close(here)
            here = deeper
            if os.fstat(here).st_dev != self._device:
                os.close(here)
                return None
        return here

    def _leave(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
        self._folder = self._path = None

    def __enter__(self) -> Inodes:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        os.close(self._root)
