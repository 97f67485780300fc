"""Looking up names in a tree: which inode is where."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from . import tree

# As os.fsencode does it, without asking each time.
ENCODING, ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
# A path may have more folders than a process may have open files.
KEPT = 100
# So many names are listed in any case, and so many for each that was asked for.
MOST_LISTED, TIMES_LISTED = 10_000, 16


class Inodes:
    """Looks up names in one tree; the folders on the way to the last name stay open, since lists go by folder.

    The tree is at `below` in `top`, or is the open folder `top`, which is closed with it. No link is followed, in it or
    on the way to it, and no other filesystem entered. Raises OSError where it could not look: that is not a name that
    is not there.
    """

    def __init__(self, top: Path | int, below: str = "/") -> None:
        self._root = top if isinstance(top, int) else tree.above(str(top), (*tree.components(below), b"."))
        self._device = os.fstat(self._root).st_dev
        self._way: list[tuple[bytes, int]] = []
        self._loose: Optional[int] = None  # noqa: UP045
        # The ctimes of the folders beyond those that stay open.
        self._times: list[int] = []
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
        """What is at `path`; None where nothing is, or another filesystem."""
        status = self.entry(path)
        return status if status and status.st_dev == self._device else None

    def entry(self, path: bytes) -> Optional[os.stat_result]:  # noqa: UP045
        """What is at `path`, also where it is mounted there; None where nothing is."""
        parent, _, name = path.rpartition(b"/")
        folder = self.folder(parent)
        if folder is None or name == b"..":
            return None
        try:
            return tree.status(folder, name)
        except OSError as problem:
            if not tree.is_absence(problem):
                raise
            return None

    @property
    def last(self) -> Optional[int]:  # noqa: UP045
        """The open folder of the name that was asked for last, until the next is; None where there is none."""
        return self._folder

    def way_moved(self, since: int) -> bool:
        """Whether a folder on the way to the name that was asked for last was moved after `since` (ns).

        It has another ctime then, and so has the folder that it is in.
        """
        way = [self._root, *(descriptor for _, descriptor in self._way)]
        times = [*(os.fstat(descriptor).st_ctime_ns for descriptor in way), *self._times]
        return any(above > since and here > since for above, here in zip(times, times[1:]))  # noqa: B905

    def folder(self, path: bytes) -> Optional[int]:  # noqa: UP045
        """A descriptor of the folder at `path`, good until the next name is looked up; None where there is none."""
        if path != self._path:
            self._path = None
            self._folder = self._enter(path)
            self._path = path
        return self._folder

    def names(self) -> Iterator[tuple[bytes, os.stat_result]]:
        """Every name in the tree, a folder before what is in it; but none of what is closed to us, who are not root."""
        for folder in tree.folders(self._root, closed=True):
            for entry in folder.entries:
                yield folder.path + b"/" + entry.name if folder.path else entry.name, entry.status

    def _enter(self, path: bytes) -> Optional[int]:  # noqa: UP045
        parts = [part for part in path.split(b"/") if part]
        shared = 0
        for (name, _), part in zip(self._way, parts):  # noqa: B905
            if name != part:
                break
            shared += 1
        self._leave(shared)
        if b".." in parts:
            return None
        here = self._way[-1][1] if self._way else self._root
        for part in parts[shared:]:
            try:
                deeper = tree.folder(here, part)
            except OSError as problem:
                if not tree.is_absence(problem):
                    raise
                return None
            status = os.fstat(deeper)
            if status.st_dev != self._device:
                os.close(deeper)
                return None
            self._close_loose()
            if len(self._way) < KEPT:
                self._way.append((part, deeper))
            else:
                self._loose = deeper
                self._times.append(status.st_ctime_ns)
            here = deeper
        return here

    def _leave(self, shared: int) -> None:
        self._close_loose()
        self._times.clear()
        while len(self._way) > shared:
            os.close(self._way.pop()[1])

    def _close_loose(self) -> None:
        if self._loose is not None:
            os.close(self._loose)
        self._loose = None

    def __enter__(self) -> Inodes:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave(0)
        os.close(self._root)


class InodeNumbers:
    """Inode numbers by path in a tree, of names that another may share, as folders list them: none is looked at.

    A folder is listed once for all names that are asked for one after the other. Where too much would be listed for too
    few of them, or a folder lists other numbers than its inodes have, each name is looked at.
    """

    def __init__(self, tree_of: Inodes) -> None:
        self._tree = tree_of
        self._parent: Optional[bytes] = None  # noqa: UP045
        self._numbers: Optional[dict[bytes, int]] = None  # noqa: UP045
        self._asked = self._listed = 0
        self._is_trusted = True

    def of(self, path: bytes) -> Optional[int]:  # noqa: UP045
        """The inode of `path`; None where there is none. Raises OSError where it could not look."""
        self._asked += 1
        parent, _, name = path.rpartition(b"/")
        if parent != self._parent:
            self._parent, self._numbers = parent, self._in_folder(parent, path)
        return self._tree.of(path) if self._numbers is None else self._numbers.get(name)

    def _in_folder(self, parent: bytes, path: bytes) -> Optional[dict[bytes, int]]:  # noqa: UP045
        if not self._is_trusted or self._listed > MOST_LISTED + TIMES_LISTED * self._asked:
            return None
        folder = self._tree.folder(parent)
        if folder is None:
            return {}
        with os.scandir(folder) as entries:
            numbers = {entry.name.encode(ENCODING, ERRORS): entry.inode() for entry in entries}
        self._listed += len(numbers)
        status = self._tree.entry(path)
        number = numbers.get(path.rpartition(b"/")[2])
        self._is_trusted = (status.st_ino if status else None) == number
        return numbers if self._is_trusted else None
