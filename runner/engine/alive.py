"""Which process and which boot of this machine a run is of: what tells a run that goes on from one that was killed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def process(pid: int) -> str:
    """What distinguishes this process from every other with its number, before or after; "" if it is gone."""
    try:
        boot = boot_id()
        # proc(5): the command's name is in parentheses and may hold anything; the 22nd field is the start.
        about = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return f"{boot} {about[19].decode('ascii')}" if about[0] != b"Z" else ""


def boot_id() -> str:
    """What distinguishes this boot of this machine from every other."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Others wait meanwhile: SQLite itself waits for nobody who makes the same file and its log at this moment."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
