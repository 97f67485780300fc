"""Going through one filesystem by open folders, as a snapshot of it must: never through a link, into no other."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from typing import NamedTuple

from .. import tree
from ..answer import Refused
from ..host.mounts import mounts
from ..policy import hidden
from ..snapshots.contract.walk import Walked
from .reach import LONGEST, reach

OPEN = 32
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
# As os.fsencode does it, without asking each time.
ENCODING, ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


class WalkedFolder(NamedTuple):
    """An open folder (until the next is asked for), its path below the top, and what is in it by name, with lstat(2).

    `beyond`: rsync cannot reach what is in it. `bare` are the folders in it of which nothing is copied but themselves.
    """

    descriptor: int
    path: bytes
    entries: list[tuple[bytes, os.stat_result]]
    beyond: bool
    bare: list[bytes]


class Level(NamedTuple):
    """A folder on the way to where we are: its inode, its path below the top, the folders in it still to do."""

    inode: tuple[int, int]
    path: bytes
    waiting: list[bytes]


class Walker:
    """Goes through the filesystem at `top`, however deep it is: a folder before what is in it, in the order of names.

    What is in `emptied` is passed over, and so are `left_out` themselves; paths below the top. `closed` says what was
    not entered and why. Memory grows with the depth and with the names of one folder.
    """

    def __init__(self, top: bytes) -> None:
        self.emptied: frozenset[bytes] = frozenset()
        self.left_out: frozenset[bytes] = frozenset()
        self.closed: list[Walked] = []
        self._top = top
        self._mounted = frozenset(os.fsencode(mount.point) for mount in mounts())
        self._device = 0
        self._reach = reach(top)
        self._hidden = frozenset[bytes]()

    def below(self, path: str) -> bytes:
        """An absolute path as it is below the top."""
        return os.fsencode(path).rstrip(b"/")[len(self._top.rstrip(b"/")) :].strip(b"/")

    def folders(self) -> Iterator[WalkedFolder]:
        """Every folder that is entered."""
        self.closed = []
        try:
            here = hidden.opened(self._top)
        except OSError as problem:
            raise Refused(f"{os.fsdecode(self._top)!a}: {problem.strerror}", "is the filesystem mounted?") from None
        self._hidden = hidden.below(here)
        about = os.fstat(here)
        self._device = about.st_dev
        way: list[Level] = []
        opened: list[int] = [here]
        path = b""
        try:
            while True:
                if here >= 0:
                    folder, waiting = self._read(here, path, len(way))
                    yield folder
                    way.append(Level((about.st_dev, about.st_ino), path, waiting))
                    if len(opened) > OPEN:
                        os.close(opened.pop(0))
                while not way[-1].waiting:
                    way.pop()
                    left = opened.pop()
                    try:
                        if not way:
                            return
                        if not opened:
                            opened.append(self._back(left, way))
                    finally:
                        os.close(left)
                name = way[-1].waiting.pop()
                path = way[-1].path + b"/" + name if way[-1].path else name
                here = self._enter(opened[-1], name, path)
                if here >= 0:
                    opened.append(here)
                    about = os.fstat(here)
                    if about.st_dev != self._device:
                        # Mounted since the folder above was read.
                        os.close(opened.pop())
                        here = -1
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _enter(self, parent: int, name: bytes, path: bytes) -> int:
        """A descriptor of the folder, -1 where it is not entered."""
        try:
            return tree.folder(parent, name)
        except OSError as problem:
            if problem.errno not in GONE:
                self.close(path, "unreadable", problem.errno or errno.EIO)
            return -1

    def _back(self, child: int, way: list[Level]) -> int:
        """The folder above `child`; from the top again where it was moved meanwhile."""
        above = os.open(b"..", tree.FOLDER, dir_fd=child)
        about = os.fstat(above)
        if (about.st_dev, about.st_ino) == way[-1].inode:
            return above
        os.close(above)
        here = hidden.opened(self._top)
        for number, part in enumerate(way[-1].path.split(b"/")):
            deeper = -1
            with contextlib.suppress(OSError):
                deeper = tree.folder(here, part)
            if deeper < 0:
                # It is gone, and what is in it with it.
                for level in way[number + 1 :]:
                    level.waiting.clear()
                return here
            os.close(here)
            here = deeper
        return here

    def _read(self, folder: int, path: bytes, depth: int) -> tuple[WalkedFolder, list[bytes]]:
        """What is in it, and the folders in it that are to be entered, the last first."""
        beyond = self._reach.ends_at(depth, len(path))
        seen: dict[bytes, os.stat_result] = {}
        if path not in self.emptied and path not in self._hidden:
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        name = entry.name.encode(ENCODING, ERRORS)
                        try:
                            seen[name] = entry.stat(follow_symlinks=False)
                        except OSError as problem:
                            self._unseen(_join(path, name), problem)
            except OSError as problem:
                self.close(path, "unreadable", problem.errno or errno.EIO)
        if self.left_out:
            seen = {name: status for name, status in seen.items() if _join(path, name) not in self.left_out}
        names = sorted(seen.items())
        is_folder, device, waiting, bare = stat.S_ISDIR, self._device, list[bytes](), list[bytes]()
        for name, status in names:
            if is_folder(status.st_mode):
                inside = _join(path, name)
                if status.st_dev == device:
                    waiting.append(name)
                    if inside in self.emptied or inside in self._hidden or self._reach.ends_at(depth + 1, len(inside)):
                        bare.append(name)
                else:
                    self._other(inside)
                    bare.append(name)
        # No rsync gets into these, and a path for each of too many levels would take all memory.
        waiting = [] if len(path) > LONGEST else waiting[::-1]
        return WalkedFolder(folder, path, names, beyond, bare), waiting

    def _unseen(self, path: bytes, problem: OSError) -> None:
        if problem.errno not in GONE and path not in self.left_out:
            self.close(path, "unreadable", problem.errno or errno.EIO)

    def _other(self, path: bytes) -> None:
        # What is mounted there was chosen or left out on purpose; anything else would be missed by everybody.
        where = self._top.rstrip(b"/") + b"/" + path
        if where not in self._mounted and path not in self.emptied:
            self.close(path, "another filesystem", 0)

    def close(self, path: bytes, cause: str, code: int, names: int = 0) -> None:
        """Note that what is at `path`, or `names` in it, cannot be copied."""
        self.closed.append(Walked(os.fsdecode(path) or ".", cause, code, names))


def _join(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name
