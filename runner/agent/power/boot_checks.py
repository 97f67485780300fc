"""`boot-checks`: all that decides which filesystems the next boot checks, and how long that takes."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .. import clock
from ..answer import reply
from ..arguments import parse_as
from ..command import ask
from ..host.fstab import MountLine, fstab
from ..host.mounts import EXT, Mount, device_of, mounts, number_of, rotates, superblock
from .check_times import MOST, speed, times
from .contract import BootChecks, CheckTime, ExtFilesystem, LookAtBoot

FORCED = ("fsck.mode=force", "forcefsck")
SKIPPED = ("fsck.mode=skip", "fastboot")
# systemd built for old habits, and init scripts, look for these as well.
FILES = ("forcefsck", "fastboot")

# Where the superblock has each kind of features, and bits of it that e2fsck does not compare: the kernel sets these
# in the first superblock alone (a large file, many subdirectories; extents, a journal to be replayed).
FEATURES = ((0x5C, 0), (0x60, 0x44), (0x64, 0x22))
# This is there only while it is mounted. e2fsck 1.47.1 and later ignore what a crash leaves of it; we foretell a check.
ORPHANS = 0x10000
# Blocks, their upper half, inodes, uuid.
IDENTITY = ((0x04, 4), (0x150, 4), (0x00, 4), (0x68, 16))
SPARSE, SPARSE_2 = 0x1, 0x200
# A block has 64 KiB at most: 1024 << 6.
MOST_SHIFT = 6
META_GROUPS = 0x10
EXTENTS = 0x40
WIDE = 0x80
# Either means that a group says how much of its inode table was never used; a check passes over that.
SAYS_UNUSED = 0x10 | 0x400
TABLE_UNUSED = 0x1
MOST_DESCRIPTORS = 64 << 20


def run(argv: Sequence[str]) -> int:
    """Print what `read` gives; reads only."""
    reply(read(argv))
    return 0


def read(argv: Sequence[str], root: Path = Path("/")) -> BootChecks:
    """Every mounted ext2, ext3 and ext4 filesystem, those of fstab, and the devices named as words.

    With `--speed` a few megabytes are read from each to see how fast it is. What is not known is null.
    """
    options = parse_as(LookAtBoot, argv)
    lines, seen = fstab(root / "etc/fstab"), mounts()
    named = {path: number_of(path) for path in options.devices}
    places = _places(seen, lines, named)
    spent = (times() if places else None) or ()
    filesystems = []
    for device, number in places.items():
        mount = _mount(number, seen)
        filesystem = _look(device, mount, next((line for line in lines if number and line.number == number), None))
        filesystems.append(
            filesystem._replace(
                devices=tuple(path for path, other in named.items() if number and other == number or path == device),
                speed=speed(Path(device)) if options.speed and filesystem.table is not None else None,
                checks=tuple(check for check in spent if _is(check, number, mount))[:MOST],
            )
        )
    return BootChecks(
        clock=clock.at(time.time_ns()),
        kernel=tuple(_kernel(root / "proc/cmdline")),
        files=tuple(f"/{name}" for name in FILES if (root / name).exists()),
        memory=_memory(),
        filesystems=tuple(filesystems),
    )


def _places(seen: Sequence[Mount], lines: Sequence[MountLine], named: Mapping[str, int]) -> dict[str, int]:
    """The devices to look at, each once, with their numbers (0 for what is no block device)."""
    devices: dict[int, str] = {}
    for mount in seen:
        device = device_of(mount) if mount.type in EXT else None
        if device is not None:
            devices.setdefault(mount.dev, str(device))
    for line in lines:
        if line.number and (line.type in EXT or superblock(Path(line.device))):
            devices.setdefault(line.number, line.device)
    places = {path: number for number, path in devices.items()}
    for path, number in named.items():
        if not number or number not in devices:
            places[path] = number
            devices[number] = path
    return places


def _look(device: str, mount: Mount | None, line: MountLine | None) -> ExtFilesystem:
    # The dates are local times without a zone, so the zone is ours.
    answer = ask(("env", "TZ=UTC", "LC_ALL=C", "dumpe2fs", "-h", "--", device), timeout=10)
    counted = groups(Path(device))
    space = os.statvfs(mount.point) if mount else None
    return ExtFilesystem(
        device=device,
        devices=(),
        mount=mount.point if mount else "",
        superblock=answer.out,
        exit=answer.exit,
        error=answer.err,
        used=(space.f_blocks - space.f_bfree) * space.f_frsize if space else None,
        inodes_used=space.f_files - space.f_ffree if space else None,
        table=counted.table if counted else None,
        directories=counted.directories if counted else None,
        extents=counted.extents if counted else None,
        backup_differs=backup_differs(Path(device), mounted=mount is not None),
        rotates=rotates(number_of(device)),
        speed=None,
        pass_=line.passno if line else None,
        at=line.mount if line else "",
        noauto=line is not None and "noauto" in line.options,
        nofail=line is not None and "nofail" in line.options,
        checks=(),
    )


def _mount(number: int, seen: Sequence[Mount]) -> Mount | None:
    """Where a device is mounted so that it can be asked; of several places the shortest."""
    fits = [mount for mount in seen if number and mount.dev == number and _shows(mount)]
    return min(fits, key=lambda mount: len(mount.point), default=None)


def _shows(mount: Mount) -> bool:
    # What lies under another mount cannot be asked by its path: the answer would be the other's.
    try:
        return Path(mount.point).stat().st_dev == mount.dev
    except OSError:
        return False


def _is(check: CheckTime, number: int, mount: Mount | None) -> bool:
    if not check.device:
        return mount is not None and mount.point == "/"
    return bool(number) and number_of(check.device) == number


def _kernel(path: Path) -> list[str]:
    try:
        words = path.read_text("utf-8", "backslashreplace").split()
    except OSError:
        return []
    return [word for word in words if word in (*FORCED, *SKIPPED)]


def _memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")), None)


class Groups(NamedTuple):
    """`table` are the bytes of inode tables that a check reads, `directories` how many there are."""

    table: int
    directories: int
    extents: bool


class Layout(NamedTuple):
    """The bytes of a block, the first block, the blocks of a group, and how many groups there are."""

    size: int
    first: int
    each: int
    many: int


def _layout(block: bytes) -> Layout | None:
    """What a superblock says; None where there is none, or a damaged one says what cannot be."""
    if not block or not _number(block, 0x20, 4) or _number(block, 0x18, 4) > MOST_SHIFT:
        return None
    first, each = _number(block, 0x14, 4), _number(block, 0x20, 4)
    blocks = _number(block, 0x04, 4) | (_number(block, 0x150, 4) << 32 if _number(block, 0x60, 4) & WIDE else 0)
    return Layout(1024 << _number(block, 0x18, 4), first, each, -(-(blocks - first) // each))


def groups(device: Path) -> Groups | None:
    """Read the group table; None where it cannot be read, or is kept in a way not known here."""
    block = superblock(device)
    layout = _layout(block)
    if layout is None or _number(block, 0x60, 4) & META_GROUPS:
        return None
    count = layout.many
    each = max(_number(block, 0xFE, 2), 32) if _number(block, 0x60, 4) & WIDE else 32
    if count <= 0 or count * each > MOST_DESCRIPTORS:
        return None
    try:
        with device.open("rb", buffering=0) as stream:
            stream.seek((layout.first + 1) * layout.size)
            table = stream.read(count * each)
    except OSError:
        return None
    return _counted(block, table, each) if len(table) == count * each else None


def backup_differs(device: Path, *, mounted: bool = False) -> bool | None:
    """Whether the first copy of the superblock has other features than the superblock: e2fsck then checks.

    None where there is no copy, or none that can be read.
    """
    block = superblock(device)
    layout = _layout(block)
    if layout is None:
        return None
    for group in _copies(block, layout.many):
        copy = superblock(device, (layout.first + group * layout.each) * layout.size)
        if copy and _number(copy, 0x4C, 4) <= 1 and _number(copy, 0x18, 4) <= MOST_SHIFT:
            return _differ(block, copy, ORPHANS if mounted else 0)
    return None


def _differ(block: bytes, copy: bytes, less: int) -> bool:
    features = ((_number(block, at, 4) ^ _number(copy, at, 4)) & ~(ignored | less) for at, ignored in FEATURES)
    identity = (block[at : at + width] != copy[at : at + width] for at, width in IDENTITY)
    return any(features) or any(identity)


def _copies(block: bytes, count: int) -> list[int]:
    """The groups that have a copy of the superblock, as far as they are looked for; ext4(5), sparse_super2."""
    if _number(block, 0x5C, 4) & SPARSE_2:
        return sorted(group for place in (0x24C, 0x250) if 0 < (group := _number(block, place, 4)) < count)
    sparse = _number(block, 0x64, 4) & SPARSE
    return [group for group in ((1, 3, 5, 7, 9, 25, 27) if sparse else range(1, 9)) if group < count]


def _counted(block: bytes, table: bytes, each: int) -> Groups:
    inodes = _number(block, 0x28, 4)
    says_unused = bool(_number(block, 0x64, 4) & SAYS_UNUSED)
    read = directories = 0
    for start in range(0, len(table), each):
        own = table[start : start + each]
        low, flags, unused = (struct.unpack_from("<H", own, place)[0] for place in (0x10, 0x12, 0x1C))
        if each >= 64:
            low |= struct.unpack_from("<H", own, 0x30)[0] << 16
            unused |= struct.unpack_from("<H", own, 0x32)[0] << 16
        directories += low
        if not says_unused:
            read += inodes
        elif not flags & TABLE_UNUSED:
            read += max(inodes - unused, 0)
    wide_inode = _number(block, 0x58, 2) if _number(block, 0x4C, 4) else 128
    return Groups(read * wide_inode, directories, bool(_number(block, 0x60, 4) & EXTENTS))


def _number(block: bytes, place: int, width: int) -> int:
    return int.from_bytes(block[place : place + width], "little")
