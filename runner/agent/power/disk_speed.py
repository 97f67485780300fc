"""How fast a disk reads now: a few megabytes, past every cache of the kernel's, for half a second at most."""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path
from typing import Optional

CHUNK = 1 << 20
CHUNKS = 24
LONGEST = 0.5


def speed(device: Path) -> Optional[float]:  # noqa: UP045
    """Bytes a second, from the middle of the disk on; None where it is too small or cannot be read so."""
    try:
        descriptor = os.open(device, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        return None
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if size < 4 * CHUNK * CHUNKS:
            return None
        start = size // 2 // CHUNK * CHUNK
        with mmap.mmap(-1, CHUNK) as page:
            # The first pays for waking the disk up and for the way there.
            os.preadv(descriptor, [page], start)
            return _timed(descriptor, page, start + CHUNK)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _timed(descriptor: int, page: mmap.mmap, start: int) -> float:
    begun = time.monotonic()
    read = 0
    for number in range(CHUNKS):
        read += os.preadv(descriptor, [page], start + number * CHUNK)
        if time.monotonic() - begun > LONGEST:
            break
    return read / max(time.monotonic() - begun, 1e-6)
