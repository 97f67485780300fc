"""Making one inode like another: a folder's attributes, which no link can share, and whole copies of all else."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from typing import NamedTuple

from .. import tree
from .attributes import extended

_MODE = 0o7777
_NOFOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Original(NamedTuple):
    """What a folder is like: its status, and its extended attributes (ACLs are some)."""

    status: os.stat_result
    extended: Mapping[str, bytes]


def seen(folder: int, *, closed: bool = False) -> Original:
    """What an open folder is like; `closed`: its descriptor is only good to look at."""
    return Original(os.fstat(folder), extended(f"/proc/self/fd/{folder}" if closed else folder))


def equalize(original: Original, folder: int) -> None:
    """Give the open `folder` owner, mode, extended attributes and times of `original`."""
    wanted, there = original.status, os.fstat(folder)
    own, other = extended(folder), original.extended
    owner, mode = (wanted.st_uid, wanted.st_gid), there.st_mode
    if owner != (there.st_uid, there.st_gid) or own != other:
        os.fchown(folder, *owner)
        for key in own.keys() - other.keys():
            os.removexattr(folder, key)
        for key, value in other.items():
            if own.get(key) != value:
                os.setxattr(folder, key, value)
        # Both may change it.
        mode = os.fstat(folder).st_mode
    if mode != wanted.st_mode:
        os.fchmod(folder, wanted.st_mode & _MODE)
    if there.st_mtime_ns != wanted.st_mtime_ns:
        os.utime(folder, ns=(wanted.st_atime_ns, wanted.st_mtime_ns))


def copy(parent: int, name: str, place: int, new_name: str) -> int:
    """Make of `name` in the open folder `parent` a whole copy in the open folder `place`; gives its inode number.

    Holes stay holes.
    """
    source, target = os.fsencode(name), os.fsencode(new_name)
    status = tree.status(parent, source)
    if stat.S_ISREG(status.st_mode):
        _copy_content(parent, source, place, target)
    elif stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(source, dir_fd=parent), target, dir_fd=place)
    else:
        os.mknod(target, status.st_mode, status.st_rdev, dir_fd=place)
    os.chown(target, status.st_uid, status.st_gid, dir_fd=place, follow_symlinks=False)
    for key, value in tree.extended(parent, source).items():
        os.setxattr(tree.through(place, target), key, value, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(target, status.st_mode & _MODE, dir_fd=place)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=place, follow_symlinks=False)
    return tree.status(place, target).st_ino


def _copy_content(parent: int, source: bytes, place: int, target: bytes) -> None:
    original = os.open(source, os.O_RDONLY | _NOFOLLOW, dir_fd=parent)
    try:
        new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW, 0o600, dir_fd=place)
        try:
            size = os.fstat(original).st_size
            os.ftruncate(new, size)
            _copy_data(original, new, size)
        finally:
            os.close(new)
    finally:
        os.close(original)


def _copy_data(original: int, new: int, size: int) -> None:
    end = 0
    while end < size:
        try:
            start = os.lseek(original, end, os.SEEK_DATA)
        except OSError as problem:
            # Nothing but a hole is left.
            if problem.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(original, start, os.SEEK_HOLE)
        os.lseek(new, start, os.SEEK_SET)
        while start < end:
            sent = os.sendfile(new, original, start, end - start)
            if not sent:
                raise OSError(errno.EIO, "a file became shorter while it was copied")
            start += sent
