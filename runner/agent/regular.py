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


def opened(path: Path) -> BinaryIO:
    """The file at `path`, open for reading; OSError where it is none, or anything but a regular file. Never waits."""
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
    """All that is in the regular file at `path`; OSError also where that is more than `most` bytes."""
    with opened(path) as stream:
        read = stream.read(most + 1)
    if len(read) > most:
        raise OSError(errno.EFBIG, f"longer than {most} bytes", str(path))
    return read


def is_odd(path: Path) -> bool:
    """Whether something is at `path` that is no regular file, nor a link to one."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return os.path.lexists(path)
    except OSError:
        return True


def _require(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
