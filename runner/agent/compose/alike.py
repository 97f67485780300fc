"""Whether two names are alike in everything that a snapshot keeps, so that one inode does for both."""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from .. import tree
from ..regular import CHUNK

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NameInFolder(NamedTuple):
    """A name in an open folder, and what is there."""

    folder: int
    name: bytes
    status: os.stat_result


def is_alike(sent: NameInFolder, kept: NameInFolder) -> bool:
    """Whether what was sent is in no way other than what there is already. Neither is a folder.

    What there is and cannot be read is not alike; raises OSError where what was sent cannot be read.
    """
    fresh, known = sent.status, kept.status
    if fresh.st_mode != known.st_mode or fresh.st_mtime_ns != known.st_mtime_ns or fresh.st_size != known.st_size:
        return False
    if (fresh.st_uid, fresh.st_gid, fresh.st_rdev) != (known.st_uid, known.st_gid, known.st_rdev):
        return False
    try:
        if tree.extended(sent.folder, sent.name) != tree.extended(kept.folder, kept.name):
            return False
        if stat.S_ISLNK(fresh.st_mode):
            return _target(sent) == _target(kept)
        return not stat.S_ISREG(fresh.st_mode) or not fresh.st_size or _is_same_content(sent, kept)
    except OSError as problem:
        # What cannot be read here any more is mended by what was sent, where that can be read.
        if problem.errno == errno.EIO:
            _require_readable(sent)
        return False


def _target(link: NameInFolder) -> bytes:
    return os.readlink(link.name, dir_fd=link.folder)


def _is_same_content(sent: NameInFolder, kept: NameInFolder) -> bool:
    fresh = os.open(sent.name, READ, dir_fd=sent.folder)
    try:
        known = os.open(kept.name, READ, dir_fd=kept.folder)
        try:
            while True:
                block = os.read(fresh, CHUNK)
                if block != os.read(known, CHUNK):
                    return False
                if not block:
                    return True
        finally:
            os.close(known)
    finally:
        os.close(fresh)


def _require_readable(sent: NameInFolder) -> None:
    if stat.S_ISREG(sent.status.st_mode):
        descriptor = os.open(sent.name, READ, dir_fd=sent.folder)
        try:
            while os.read(descriptor, CHUNK):
                pass
        finally:
            os.close(descriptor)
