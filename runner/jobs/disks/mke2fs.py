"""mke2fs(8): how the filesystem of a backup disk is made, and what it would be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from runner.agent.arguments import argv
from runner.agent.disks.contract import MarkDisk
from runner.model.plan import Argv
from runner.model.site import Disk
from runner.tools.answers import json_object

LABEL_BYTES = 16
BLOCK = 4096
INODE = 256
_MAKES = re.compile(r"Creating filesystem with ([0-9]+) ([0-9]+)k blocks and ([0-9]+) inodes")


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What a filesystem would have: `bytes` in all, and how many files it can hold."""

    bytes: int
    inodes: int


def label(disk: Disk) -> str:
    """The label of the filesystem: the disk's name, as much of it as fits."""
    return disk.name[:LABEL_BYTES]


def make(disk: Disk, uuid: str) -> Argv:
    """Make the filesystem of `disk`; whatever was on the device is gone.

    256-byte inodes hold times to the nanosecond and beyond 2038. After a fault of the disk it
    becomes read-only instead of going on. Without a terminal mke2fs asks nothing and overwrites a
    filesystem that it sees, so the step must have a guard; it refuses a device in use by itself.
    """
    return ("mke2fs", "-q", *_shape(disk), "-L", label(disk), "-U", uuid, "--", disk.device)


def would_make(disk: Disk) -> Argv:
    """Say what `make` would make; writes nothing (`-n`)."""
    return ("mke2fs", "-n", *_shape(disk), "--", disk.device)


def parse(text: str) -> Made | None:
    """Read what `would_make` printed; None where it does not say."""
    # What it prints of an old filesystem, such as its label, comes before: ours is the last such line.
    shapes = _MAKES.findall(text)
    if not shapes:
        return None
    blocks, kib, inodes = map(int, shapes[-1])
    return Made(bytes=blocks * kib * 1024, inodes=inodes)


def _shape(disk: Disk) -> Argv:
    sizes = ("-b", str(BLOCK), "-i", str(disk.bytes_per_inode), "-I", str(INODE))
    return ("-t", disk.filesystem, *sizes, "-m", "1", "-e", "remount-ro")


def show(store: str) -> Argv:
    """Print the identity that the store at `store` keeps. Reads only; exit 1 where there is none."""
    return ("cat", "--", f"{store}/.runner/disk.json")


def write(program: str, store: str, uuid: str, since: datetime) -> Argv:
    """Have the store keep that it is on the disk `uuid` since then; what it keeps already stays."""
    return (program, *argv("mark-disk", MarkDisk(store, uuid, since.isoformat())))


def parse_identity(text: str) -> str:
    """The UUID in what `show` printed, lower case; "" where it says none."""
    try:
        return str(json_object(text).get("uuid", "")).lower()
    except ValueError:
        return ""
