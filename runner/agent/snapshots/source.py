"""The source of a transfer, asked name by name: is it there, has it changed, can it be read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

CHUNK = 1 << 20


class Source(NamedTuple):
    """A filesystem's folder and the time (ns since 1970) at which its transfer began."""

    root: bytes
    since: int

    def path(self, name: bytes) -> bytes:
        """Where `name`, relative to the source, is."""
        return self.root.rstrip(b"/") + b"/" + name

    def status(self, name: bytes) -> os.stat_result:
        """lstat(2); raises OSError."""
        return os.lstat(self.path(name))

    def changed(self, status: os.stat_result) -> bool:
        """Whether it was changed since the transfer began."""
        return status.st_ctime_ns > self.since or status.st_mtime_ns > self.since

    def unreadable(self, name: bytes, status: os.stat_result, *, whole: bool) -> int:
        """The errno of reading it, 0 if it can be read; of a regular file all of it with `whole`.

        Anything but a regular file or a folder needs no reading.
        """
        path = self.path(name)
        try:
            if stat.S_ISDIR(status.st_mode):
                with os.scandir(path) as entries:
                    next(entries, None)
            elif stat.S_ISREG(status.st_mode):
                _read(path, status.st_size if whole else 0)
        except OSError as problem:
            return problem.errno or errno.EIO
        return 0

    def unreadable_above(self, name: bytes) -> int:
        """The errno of the first folder above `name` that cannot be listed, 0 if all can."""
        parts = name.split(b"/")[:-1]
        for end in range(len(parts) + 1):
            path = self.path(b"/".join(parts[:end]) or b".")
            try:
                with os.scandir(path) as entries:
                    next(entries, None)
            except OSError as problem:
                return problem.errno or errno.EIO
        return 0


def closed_folders(source: Source, excluded: frozenset[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every folder of this filesystem that cannot be listed, with the errno; not inside `excluded`.

    Folders that vanish meanwhile are left out.
    """
    device = os.stat(source.root).st_dev  # noqa: PTH116
    waiting = [b""]
    while waiting:
        name = waiting.pop()
        path = source.path(name) if name else source.root
        if path in excluded:
            continue
        try:
            if name and os.lstat(path).st_dev != device:
                continue
            with os.scandir(path) as entries:
                folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError as problem:
            if problem.errno not in (errno.ENOENT, errno.ENOTDIR):
                yield name or b".", problem.errno or errno.EIO
            continue
        waiting.extend(name + b"/" + folder if name else folder for folder in folders)


def _read(path: bytes, size: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        left = size
        while left > 0:
            got = len(os.read(descriptor, min(CHUNK, left)))
            if not got:
                return
            left -= got
    finally:
        os.close(descriptor)
