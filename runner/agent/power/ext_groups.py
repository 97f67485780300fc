"""What a full check of an ext2, ext3 or ext4 filesystem has to read, from its superblock and group table."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple, Optional

from ..host.mounts import superblock

META_GROUPS = 0x10
EXTENTS = 0x40
WIDE = 0x80
# Either means that a group says how much of its inode table was never used; a check passes over that.
SAYS_UNUSED = 0x10 | 0x400
TABLE_UNUSED = 0x1
MOST = 64 << 20


class Groups(NamedTuple):
    """`table` are the bytes of inode tables that a check reads, `directories` how many there are."""

    table: int
    directories: int
    extents: bool


def groups(device: Path) -> Optional[Groups]:  # noqa: UP045
    """Read the group table; None where it cannot be read, or is kept in a way not known here."""
    block = superblock(device)
    if not block or _number(block, 0x60, 4) & META_GROUPS or not _number(block, 0x20, 4):
        return None
    size = 1024 << _number(block, 0x18, 4)
    first = _number(block, 0x14, 4)
    wide = bool(_number(block, 0x60, 4) & WIDE)
    blocks = _number(block, 0x04, 4) | (_number(block, 0x150, 4) << 32 if wide else 0)
    count = -(-(blocks - first) // _number(block, 0x20, 4))
    each = max(_number(block, 0xFE, 2), 32) if wide else 32
    if count <= 0 or count * each > MOST:
        return None
    try:
        with device.open("rb", buffering=0) as stream:
            stream.seek((first + 1) * size)
            table = stream.read(count * each)
    except OSError:
        return None
    return _counted(block, table, each) if len(table) == count * each else None


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
