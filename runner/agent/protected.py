"""What chattr(1) or its mode keeps from being changed or removed, and how whoever may do so lets it go."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import stat
from pathlib import Path

from . import tree

GET_FLAGS = 0x80086601
SET_FLAGS = 0x40086602
IMMUTABLE = 0x10
IMMUTABLE_OR_APPEND = IMMUTABLE | 0x20


def unlink(parent: int, name: bytes) -> None:
    """Unlink a file, also one that chattr(1) protects; its other names, in sealed snapshots, stay protected."""
    try:
        os.unlink(name, dir_fd=parent)
    except PermissionError:
        _unlink_flagged(parent, name)


def _unlink_flagged(parent: int, name: bytes) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    try:
        before = clear_flags(descriptor)
        os.unlink(name, dir_fd=parent)
        if before and os.fstat(descriptor).st_nlink:
            fcntl.ioctl(descriptor, SET_FLAGS, array.array("i", [before]))
    finally:
        os.close(descriptor)


def clear_flags(descriptor: int) -> int:
    """Take immutable and append-only from an open file; gives the flags that it had, 0 if neither."""
    before = flags(descriptor)
    if not before & IMMUTABLE_OR_APPEND:
        return 0
    try:
        fcntl.ioctl(descriptor, SET_FLAGS, array.array("i", [before & ~IMMUTABLE_OR_APPEND]))
    except OSError:
        return 0
    return before


def flags(descriptor: int) -> int:
    """The flags of an open file as chattr(1) knows them; 0 where its filesystem has none."""
    known = array.array("i", [0])
    try:
        fcntl.ioctl(descriptor, GET_FLAGS, known, True)
    except OSError:
        return 0
    return known[0]


def is_protected(parent: int, name: bytes) -> bool:
    """Whether it is a file that chattr(1) protects: no link to it can be made. Raises OSError."""
    if not stat.S_ISREG(tree.status(parent, name).st_mode):
        return False
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    try:
        return bool(flags(descriptor) & IMMUTABLE_OR_APPEND)
    finally:
        os.close(descriptor)


def let_in(parent: int, name: bytes) -> int:
    """A descriptor of the folder `name`; whoever owns it and is kept out lets himself in first. Raises OSError."""
    try:
        return tree.folder(parent, name)
    except PermissionError:
        permit(parent, name)
        return tree.folder(parent, name)


def permit(parent: int, name: bytes) -> None:
    """Let its owner into a folder; only the folder itself is changed, never what a link points to."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{descriptor}").chmod(0o700)
    finally:
        os.close(descriptor)


def let_change(folder: int) -> None:
    """Let names in an open folder go, whatever its mode or chattr(1) says; where that cannot be, they will not go."""
    clear_flags(folder)
    if os.fstat(folder).st_mode & 0o700 != 0o700:
        with contextlib.suppress(PermissionError):
            os.fchmod(folder, 0o700)
