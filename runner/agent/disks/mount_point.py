"""`make-unwritable`: nobody writes to the folder of a mount point while its disk is away."""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from ..answer import Refused, reply
from ..arguments import parse_as
from ..host.mounts import mounts
from ..protected import GET_FLAGS, IMMUTABLE, SET_FLAGS
from .contract import MadeUnwritable, MakeUnwritable

# unshare(2), mount(2), umount(2).
NEW_MOUNTS, RECURSIVE, PRIVATE, DETACH = 0x00020000, 1 << 14, 1 << 18, 2


def run(argv: Sequence[str]) -> int:
    """Make the folder at MOUNT immutable (chattr(1)), so that nobody, root included, fills the filesystem it is on.

    The folder below whatever is mounted there, never the top of the disk: what is mounted is taken away in a
    mount namespace that ends with us, and the host sees nothing of it. Refused where that folder has something in it:
    such as /, where no disk is mounted, or data that was written while the disk was away.
    """
    point = Path(parse_as(MakeUnwritable, argv).mount).resolve()
    if point == Path("/"):
        raise Refused("/ is no mount point of a backup disk", "name the folder at which the disk is mounted")
    libc = ctypes.CDLL(None, use_errno=True)
    _require(libc.unshare(NEW_MOUNTS), "unshare")
    _require(libc.mount(b"none", b"/", None, ctypes.c_ulong(RECURSIVE | PRIVATE), None), "/")
    while any(mount.point == str(point) for mount in mounts()):
        _require(libc.umount2(os.fsencode(point), DETACH), str(point))
    descriptor: int = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if inside := os.listdir(descriptor):
            raise Refused(
                f"{str(point)!a} is not empty where no disk is mounted: {min(inside)!a} is in it",
                "move them away, or choose an empty folder for the disk",
            )
        flags = array.array("i", [0])
        fcntl.ioctl(descriptor, GET_FLAGS, flags, True)
        fcntl.ioctl(descriptor, SET_FLAGS, array.array("i", [flags[0] | IMMUTABLE]))
    except OSError as problem:
        if problem.errno not in (errno.ENOTTY, errno.EOPNOTSUPP):
            raise
        error = f"{str(point)!a} cannot be made immutable: {problem.strerror}"
        raise Refused(error, "its filesystem has no such flag: see that the disk is always mounted") from problem
    finally:
        os.close(descriptor)
    reply(MadeUnwritable(unwritable=True))
    return 0


def _require(code: int, name: str) -> None:
    if code != 0:
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem), name)
