"""The library of xxhsum and of rsync, where it is there: xxh128 without a process, of what an open descriptor gives."""

from __future__ import annotations

import os
from typing import Optional

from ..regular import CHUNK

try:
    import ctypes
except ImportError:
    # Debian's smallest python has none.
    ctypes = None  # type: ignore[assignment]

LIBRARY = "libxxhash.so.0"
OF_NOTHING = "99aa06d3014798d86001c324468d497f"


class Xxh128:
    """Computes xxh128 of open files, one after the other, through one buffer."""

    def __init__(self, library: ctypes.CDLL) -> None:
        class Hash(ctypes.Structure):
            _fields_ = (("low", ctypes.c_uint64), ("high", ctypes.c_uint64))

        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        self._create, self._free = library.XXH3_createState, library.XXH3_freeState
        self._reset, self._update = library.XXH3_128bits_reset, library.XXH3_128bits_update
        self._digest, self._whole = library.XXH3_128bits_digest, library.XXH3_128bits
        self._create.argtypes, self._create.restype = (), pointer
        self._free.argtypes = self._reset.argtypes = self._digest.argtypes = (pointer,)
        self._update.argtypes = (pointer, pointer, size)
        self._whole.argtypes = (pointer, size)
        self._digest.restype = self._whole.restype = Hash
        self._buffer = bytearray(CHUNK)
        self._into = (memoryview(self._buffer),)
        self._at = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer))

    def of(self, descriptor: int) -> str:
        """The checksum of all that can be read from `descriptor`, in hexadecimal; raises OSError."""
        size = os.preadv(descriptor, self._into, 0)
        # Most files end within the buffer, and a regular file gives all it has.
        result = self._whole(self._at, size) if size < CHUNK else self._long(descriptor, size)
        return f"{result.high:016x}{result.low:016x}"

    def _long(self, descriptor: int, size: int) -> ctypes.Structure:
        state = self._create()
        if not state:
            raise MemoryError
        try:
            self._reset(state)
            place = 0
            while size:
                self._update(state, self._at, size)
                place += size
                size = os.preadv(descriptor, self._into, place)
            result: ctypes.Structure = self._digest(state)
        finally:
            self._free(state)
        return result


def load(name: str = LIBRARY) -> Optional[Xxh128]:  # noqa: UP045
    """The library, None where it is not there, or is too old to know this checksum."""
    if ctypes is None:
        return None
    try:
        library = Xxh128(ctypes.CDLL(name))
    except (OSError, AttributeError):
        return None
    trial = os.memfd_create("empty")
    try:
        return library if library.of(trial) == OF_NOTHING else None
    finally:
        os.close(trial)
