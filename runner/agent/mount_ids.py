"""On which mount an open folder is: a bind mount of a filesystem has its st_dev, and a number of its own."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Optional

from .answer import Refused

MountId = tuple[int, int]

# statx(2) with STATX_MNT_ID (Linux 5.8); what /proc says is the same number and takes six times as long.
_EMPTY_PATH, _MOUNT_ID, _SIZE = 0x1000, 0x1000, 256
_MASK, _NUMBERS = struct.Struct("=I"), struct.Struct("=IIQ")
_NUMBERS_AT = 136


def mount_id(descriptor: int) -> MountId:
    """The device and the number of the mount that an open file or folder is on; Refused where nobody says."""
    about = _statx()
    number = about(descriptor) if about else None
    return number or _by_proc(descriptor)


@lru_cache(maxsize=None)  # noqa: UP033
def _statx() -> Optional[Callable[[int], Optional[MountId]]]:  # noqa: UP045
    import ctypes  # noqa: PLC0415  (slow to load, and few want it)

    statx: Any = getattr(ctypes.CDLL(None), "statx", None)
    if statx is None:
        return None
    statx.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)
    answer = ctypes.create_string_buffer(_SIZE)
    place = ctypes.addressof(answer)

    def about(descriptor: int) -> Optional[MountId]:  # noqa: UP045
        if statx(descriptor, b"", _EMPTY_PATH, _MOUNT_ID, place) or not _MASK.unpack_from(answer)[0] & _MOUNT_ID:
            return None
        major, minor, number = _NUMBERS.unpack_from(answer, _NUMBERS_AT)
        return os.makedev(major, minor), number

    return about


def _by_proc(descriptor: int) -> MountId:
    about = os.open(b"/proc/self/fdinfo/%d" % descriptor, os.O_RDONLY | os.O_CLOEXEC)
    try:
        mount = re.search(rb"^mnt_id:\s*([0-9]+)$", os.read(about, 4096), re.MULTILINE)
    finally:
        os.close(about)
    if not mount:
        raise Refused("the kernel does not say on which mount a folder is", "is /proc mounted?")
    return os.fstat(descriptor).st_dev, int(mount[1])
