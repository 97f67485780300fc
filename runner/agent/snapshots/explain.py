"""`explain`: why a snapshot differs from its source, for every name in which it does."""

from __future__ import annotations

import errno
import functools
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from .. import clock, tree
from ..answer import Refused, reply, shown
from ..arguments import parse_as
from ..frames import Frame, frames
from ..inodes import Inodes
from ..look.reach import LONGEST, TOO_DEEP, reach
from ..look.shown import ShownSource
from ..regular import CHUNK
from ..rsync_lines import WHOLE, is_about_a_name, looked, unescaped
from .contract.explain import Explain, Explained, Explanation

CAUSES = ("vanished", "changed", "unreadable", "attributes", TOO_DEEP, "unexplained")


def run(argv: Sequence[str]) -> int:
    """Read a comparison from stdin and print a line of JSON for each name, then the counts.

    Judges by lstat, open, read and errno only; runs where the source is, reads only.
    """
    options = parse_as(Explain, argv)
    since = clock.nanoseconds(options.since)
    root = os.fsencode(options.source)
    try:
        names = ShownSource(root)
    except OSError as problem:
        raise Refused(f"{options.source!a}: {problem.strerror}", "is the filesystem mounted?") from None
    source = SourceTree(root, since, names)
    counts = dict.fromkeys(CAUSES, 0)
    exits: list[int] = []
    for frame in frames(sys.stdin.buffer):
        exits.append(_look_exit(frame))
        for line in _explained(frame, source):
            counts[line.cause] += 1
            reply(line)
    if len(exits) != 1:
        raise Refused(f"{len(exits)} comparisons on stdin", "give exactly one")
    reply(Explanation(counts, exits[0]))
    return 0


def _look_exit(frame: Frame) -> int:
    if frame.exit not in WHOLE:
        raise Refused(f"the comparison did not end: exit {frame.exit}", "run the job again")
    return frame.exit


def _explained(frame: Frame, source: SourceTree) -> Iterator[Explained]:
    far = reach(source.root)
    ends: set[bytes] = set()
    for line in frame.lines():
        difference = looked(line)
        if difference:
            item, name = difference[0], unescaped(difference[1])
            cause, code = judge(item, name, source)
            if cause == TOO_DEEP:
                # Of all that is further down the folder is named, as by whoever looked.
                name = far.end_of(name)
                if name in ends:
                    continue
                ends.add(name)
            yield Explained(os.fsdecode(name), item, cause, code)
        elif is_about_a_name(line):
            yield Explained("", "", "unexplained", 0)


def judge(item: str, name: bytes, source: SourceTree) -> tuple[str, int]:
    """The cause for one name, and the errno that shows it."""
    try:
        status = source.status(name)
    except OSError as problem:
        if problem.errno in (errno.ENOENT, errno.ENOTDIR):
            return "vanished", problem.errno
        if problem.errno == errno.ENAMETOOLONG and reach(source.root).end_of(name):
            return TOO_DEEP, 0
        return "unreadable", problem.errno or 0
    missing = "+" in item
    changed = source.changed(status)
    code = source.unreadable(name, status, whole=missing or not changed)
    if code:
        return ("vanished" if code == errno.ENOENT else "unreadable"), code
    if changed:
        return "changed", 0
    if missing and reach(source.root).end_of(name):
        return TOO_DEEP, 0
    code = source.unreadable_above(name) if missing else 0
    if code:
        return "unreadable", code
    if not missing and _attributes_only(item):
        return "attributes", 0
    # A folder that is moved takes along what is in it, and no file shows that.
    return ("changed" if source.moved_above(name) else "unexplained"), 0


def _attributes_only(item: str) -> bool:
    # YXcstpoguax: of a regular file, checksum, size and time stand for its content; of anything else
    # only c does (a symbolic link's target, a device's number).
    if item.startswith("*"):
        return False
    return "." == item[2] == item[3] == item[4] if item[1] == "f" else item[2] == "."


class SourceTree(NamedTuple):
    """A filesystem's folder, the time (ns since 1970) at which its transfer began, and what looks names up in it."""

    root: bytes
    since: int
    names: Inodes

    def status(self, name: bytes) -> os.stat_result:
        """lstat(2), through no link; raises OSError, also for what is hidden from whoever asks.

        Refused for what is no name below the source: rsync prints none.
        """
        if name != b"." and not {b"", b".", b".."}.isdisjoint(name.split(b"/")):
            raise Refused(
                f"a name leads out of its source: {shown(os.fsdecode(name))}", "look at the other end's rsync"
            )
        if len(self.root.rstrip(b"/")) + 1 + len(name) >= LONGEST:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        status = self.names.entry(name)
        if status is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return status

    def changed(self, status: os.stat_result) -> bool:
        """Whether it was changed since the transfer began."""
        return status.st_ctime_ns > self.since or status.st_mtime_ns > self.since

    def moved_above(self, name: bytes) -> bool:
        """Whether a folder above `name` was moved since the transfer began, or is gone by now.

        A move changes the ctime of a folder, and of the one that it is in; what comes or goes in it only its own.
        """
        try:
            return self.names.folder(_above(name)) is None or self.names.way_moved(self.since)
        except OSError:
            return False

    def unreadable(self, name: bytes, status: os.stat_result, *, whole: bool) -> int:
        """The errno of reading it, 0 if it can be read; of a regular file all of it with `whole`.

        Anything but a regular file or a folder needs no reading.
        """
        last = name.rpartition(b"/")[2]
        if stat.S_ISDIR(status.st_mode):
            return _failure(lambda: _list(self._folder(_above(name)), last))
        size = status.st_size if whole else 0
        return _failure(lambda: _read(self._folder(_above(name)), last, size)) if stat.S_ISREG(status.st_mode) else 0

    def unreadable_above(self, name: bytes) -> int:
        """The errno of the first folder above `name` that cannot be listed, 0 if all can."""
        parts = name.split(b"/")[:-1]
        folders = (b"/".join(parts[:end]) for end in range(len(parts) + 1))
        listed = (functools.partial(lambda folder: _list(self._folder(folder), b"."), folder) for folder in folders)
        return next((code for each in listed if (code := _failure(each))), 0)

    def _folder(self, path: bytes) -> int:
        folder = self.names.folder(path)
        if folder is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return folder


def _above(name: bytes) -> bytes:
    return name.rpartition(b"/")[0]


def _failure(read: Callable[[], None]) -> int:
    try:
        read()
    except OSError as problem:
        return problem.errno or errno.EIO
    return 0


def _list(folder: int, name: bytes) -> None:
    descriptor = tree.folder(folder, name)
    try:
        with os.scandir(descriptor) as entries:
            next(entries, None)
    finally:
        os.close(descriptor)


def _read(folder: int, name: bytes, size: int) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        while size > 0 and (block := os.read(descriptor, min(CHUNK, size))):
            size -= len(block)
    finally:
        os.close(descriptor)
