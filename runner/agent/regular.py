"""Read a file that may have been put there by anybody: regular files only, and no more than was asked for.

A FIFO in its place would keep whoever opens it waiting for ever, and to open a device may already do something.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

# No file of a store that is read whole is ever as long: what is longer is none of ours.
MOST = 64 << 20
# So much of a file is read at a time.
CHUNK = 1 << 20


class Irregular(OSError):
    """What is at a path is no regular file, or longer than it can be: it is none of ours."""


def opened(path: Path) -> BinaryIO:
    """The file at `path`, open for reading; Irregular where it is anything else. Never waits."""
    _require(path.stat(), path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    stream = os.fdopen(descriptor, "rb")
    try:
        _require(os.fstat(descriptor), path)
    except OSError:
        stream.close()
        raise
    return stream


def content(path: Path, most: int = MOST) -> bytes:
    """All that is in the regular file at `path`; Irregular also where that is more than `most` bytes."""
    with opened(path) as stream:
        read = stream.read(most + 1)
    if len(read) > most:
        raise Irregular(errno.EFBIG, f"longer than {most} bytes", str(path))
    return read


def _require(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Irregular(errno.EINVAL, "not a regular file", str(path))
