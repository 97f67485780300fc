"""`walk`: what a snapshot must have, counted at the source by another program than the one that copies."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from .. import clock, tree
from ..answer import Refused, reply
from ..arguments import parse_as
from ..frames import frames
from ..host.mounts import mounts
from .contract import Walk, Walked, WalkedNames
from .gather import counted

OPEN = 32
# How far rsync gets: it opens a folder for each level, at most 1,024, and knows no path of 4,096 bytes.
DEEPEST, LONGEST, SPARE = 1024, 4096, 24
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Level(NamedTuple):
    """A folder on the way to where we are: its inode, its path below the top, the folders in it still to do."""

    inode: tuple[int, int]
    path: bytes
    waiting: list[bytes]


def run(argv: Sequence[str]) -> int:
    """Count the names below SOURCE that stay in its filesystem; print what was not entered, then the counts.

    stdin is the output of the transfer. Where rsync saw fewer names than are older than `--since`, each folder is
    printed with its own number, so that the seal can name the first that lacks some. Reads only.
    """
    options = parse_as(Walk, argv)
    sent = [counted(frame) for frame in frames(sys.stdin.buffer)]
    walker = Walker(os.fsencode(options.source), clock.nanoseconds(options.since))
    walker.emptied = frozenset(map(walker.below, options.emptied))
    walker.left_out = frozenset(map(walker.below, options.left_out))
    for _ in walker.folders():
        pass
    required = walker.names - walker.young - walker.beyond
    for line in walker.closed:
        reply(line)
    if sent and sent[0] < required:
        for path, names in walker.folders():
            reply(Walked(os.fsdecode(path) or ".", "counted", 0, names))
    reply(WalkedNames(required, walker.young))
    return 0


class Walker:
    """Goes through one filesystem by open folders, never through a link, however deep it is.

    `names` counts all, `young` those that changed since, `beyond` the others that rsync cannot reach; `closed` says
    what was not entered and why.
    """

    def __init__(self, top: bytes, since: int) -> None:
        self.emptied: frozenset[bytes] = frozenset()
        self.left_out: frozenset[bytes] = frozenset()
        self._top = top
        self._since = since
        self._mounted = frozenset(os.fsencode(mount.point) for mount in mounts())
        self._device = 0
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._deepest = min(most if most > 0 else DEEPEST, DEEPEST) - SPARE
        self._clear()

    def _clear(self) -> None:
        self.names, self.young, self.beyond = 0, 0, 0
        self.closed: list[Walked] = []

    def below(self, path: str) -> bytes:
        """An absolute path as it is below the top."""
        return os.fsencode(path).rstrip(b"/")[len(self._top.rstrip(b"/")) :].strip(b"/")

    def folders(self) -> Iterator[tuple[bytes, int]]:
        """Every folder that is entered, with how many names in it are older and must be in the copy."""
        self._clear()
        try:
            here = os.open(self._top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as problem:
            raise Refused(f"{os.fsdecode(self._top)!a}: {problem.strerror}", "is the filesystem mounted?") from None
        status = os.fstat(here)
        self._device = status.st_dev
        self.names, self.young = 1, int(status.st_ctime_ns > self._since)
        way: list[Level] = []
        opened: list[int] = []
        entering: Optional[bytes] = b""  # noqa: UP045
        try:
            while True:
                if entering is not None:
                    waiting, older = self._read(here, entering, len(way))
                    yield entering, older
                    about = os.fstat(here)
                    way.append(Level((about.st_dev, about.st_ino), entering, waiting))
                    opened.append(here)
                    if len(opened) > OPEN:
                        os.close(opened.pop(0))
                level = way[-1]
                if level.waiting:
                    name = level.waiting.pop()
                    entering = level.path + b"/" + name if level.path else name
                    here = self._enter(opened[-1], name, entering)
                    entering = entering if here >= 0 else None
                    continue
                entering = None
                way.pop()
                left = opened.pop()
                try:
                    if not way:
                        return
                    if not opened:
                        opened.append(self._back(left, way))
                finally:
                    os.close(left)
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _enter(self, parent: int, name: bytes, path: bytes) -> int:
        """A descriptor of the folder, -1 where it is not entered."""
        try:
            descriptor = tree.folder(parent, name)
        except OSError as problem:
            if problem.errno not in GONE:
                self._close(path, "unreadable", problem.errno or errno.EIO)
            return -1
        if os.fstat(descriptor).st_dev != self._device:
            os.close(descriptor)
            return -1
        return descriptor

    def _back(self, child: int, way: list[Level]) -> int:
        """The folder above `child`; from the top again where it was moved meanwhile."""
        above = os.open(b"..", tree.FOLDER, dir_fd=child)
        about = os.fstat(above)
        if (about.st_dev, about.st_ino) == way[-1].inode:
            return above
        os.close(above)
        here = os.open(self._top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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

    def _read(self, folder: int, path: bytes, depth: int) -> tuple[list[bytes], int]:
        """The folders in it that are to be entered, and how many names in it are older; counts them."""
        beyond = depth >= self._deepest or len(self._top) + len(path) + 256 > LONGEST
        if path in self.emptied:
            return [], 0
        waiting: list[bytes] = []
        older = younger = 0
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except OSError as problem:
                        self._unseen(path, os.fsencode(entry.name), problem)
                        continue
                    if self.left_out and _join(path, os.fsencode(entry.name)) in self.left_out:
                        continue
                    if status.st_ctime_ns > self._since:
                        younger += 1
                    else:
                        older += 1
                    if status.st_mode & 0o170000 == 0o040000:
                        name = os.fsencode(entry.name)
                        if status.st_dev == self._device:
                            waiting.append(name)
                        else:
                            self._other(_join(path, name))
        except OSError as problem:
            self._close(path, "unreadable", problem.errno or errno.EIO)
        self.names += older + younger
        self.young += younger
        if beyond:
            self.beyond += older
            if older:
                self.closed.append(Walked(os.fsdecode(path), "too deep", 0, older))
        # No rsync gets into these, and a path for each of too many levels would take all memory.
        return [] if len(path) > LONGEST else waiting, 0 if beyond else older

    def _unseen(self, path: bytes, name: bytes, problem: OSError) -> None:
        path = _join(path, name)
        if problem.errno not in GONE and path not in self.left_out:
            self._close(path, "unreadable", problem.errno or errno.EIO)

    def _other(self, path: bytes) -> None:
        # What is mounted there was chosen or left out on purpose; anything else would be missed by everybody.
        where = self._top.rstrip(b"/") + b"/" + path
        if where not in self._mounted and path not in self.emptied:
            self._close(path, "another filesystem", 0)

    def _close(self, path: bytes, cause: str, code: int) -> None:
        self.closed.append(Walked(os.fsdecode(path) or ".", cause, code, 0))


def _join(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name
