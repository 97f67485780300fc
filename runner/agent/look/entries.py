"""What is in a folder as a block of bytes: equal blocks are equal folders, and nothing is unpacked."""

from __future__ import annotations

import operator
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from itertools import starmap
from typing import NamedTuple

# Type and mode, owner, group, size (of a device its number), mtime, ctime, inode, links.
ENTRY = struct.Struct("<HIIqqqQI")
_fields = operator.attrgetter(
    "st_mode", "st_uid", "st_gid", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_nlink"
)
MODE, SIZE, CTIME, INODE, LINKS = 0, 3, 5, 6, 7
# Of what may have changed since without showing it the ctime is noted below 0, where no file has it; and where that
# cannot be, as this one.
UNSURE = -(1 << 63)

DEVICES = (stat.S_IFCHR, stat.S_IFBLK)

Row = tuple[int, ...]


class PackedFolder(NamedTuple):
    """What is in the folder at `path`: `block` has `names` entries in their order, of which `links` are files with
    more names than one.
    """

    path: bytes
    names: int
    links: int
    block: bytes

    def entries(self) -> Iterator[tuple[bytes, Row]]:
        """Each name with its fields. Raises ValueError where the block is none."""
        size = self.names * ENTRY.size
        names = self.block[size:].split(b"\0") if self.names else []
        if len(names) != self.names or len(self.block) < size:
            raise ValueError("a folder's block has another number of names")
        return zip(names, ENTRY.iter_unpack(self.block[:size]))  # noqa: B905


class FolderEntries:
    """The entries of a folder as they are now; what changed after `sure` may change again and keep its times."""

    def __init__(self, path: bytes, entries: Sequence[tuple[bytes, os.stat_result]], sure: int) -> None:
        self.path = path
        self.names = [name for name, _ in entries]
        self.rows: list[Row] = [_fields(status) for _, status in entries]
        self.size = self.folders = self.links = 0
        self._sure = sure
        self._all_sure = True
        devices = False
        for mode, _, _, size, _, ctime, _, links in self.rows:
            kind = mode & 0o170000
            if kind == 0o040000:
                self.folders += 1
            else:
                self.size += size
                if links > 1:
                    self.links += 1
                devices = devices or kind in DEVICES
            if not 0 < ctime <= sure:
                self._all_sure = False
        if devices:
            self.rows = [_numbered(row, status.st_rdev) for row, (_, status) in zip(self.rows, entries)]  # noqa: B905
        try:
            self.block = self._packed(self.rows)
        except struct.error:
            # A time beyond the year 2262, an owner of -1: whatever it is, it stays different from any other.
            self.rows = list(map(_fitted, self.rows))
            self.block = self._packed(self.rows)

    def changed_since(self, moment: int) -> list[bytes]:
        """The names, no folders, with a later ctime (ns)."""
        pairs = zip(self.names, self.rows)  # noqa: B905
        return [name for name, row in pairs if abs(row[CTIME]) > moment and not is_folder(row)]

    def recorded(self) -> PackedFolder:
        """The entries as the next look shall know them."""
        block = self.block
        if not self._all_sure:
            rows = (row if 0 < row[CTIME] <= self._sure else _doubtful(row) for row in self.rows)
            block = self._packed(rows)
        return PackedFolder(self.path, len(self.names), self.links, block)

    def _packed(self, rows: Iterator[Row] | Sequence[Row]) -> bytes:
        return b"".join(starmap(ENTRY.pack, rows)) + b"\0".join(self.names)


def is_folder(row: Row) -> bool:
    """Whether it is a folder."""
    return stat.S_ISDIR(row[MODE])


def sure_of(folders: Iterator[PackedFolder]) -> Iterator[PackedFolder]:
    """The folders, and nothing in them that is doubtful for its ctime alone."""
    for folder in folders:
        rows = [(name, row) for name, row in folder.entries()]
        if any(row[CTIME] < 0 for _, row in rows):
            times = (
                (*row[:CTIME], abs(row[CTIME]), *row[CTIME + 1 :]) if UNSURE < row[CTIME] < 0 else row
                for _, row in rows
            )
            block = b"".join(starmap(ENTRY.pack, times)) + b"\0".join(name for name, _ in rows)
            yield folder._replace(block=block)
        else:
            yield folder


def _doubtful(row: Row) -> Row:
    ctime = -row[CTIME] if row[CTIME] > 0 else UNSURE
    return (*row[:CTIME], ctime, *row[CTIME + 1 :])


def _numbered(row: Row, number: int) -> Row:
    return (*row[:SIZE], _signed(number), *row[SIZE + 1 :]) if row[MODE] & 0o170000 in DEVICES else row


def _signed(number: int) -> int:
    return ((number + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)


def _fitted(row: Row) -> Row:
    mode, uid, gid, size, mtime, ctime, inode, links = row
    narrow, wide = (1 << 32) - 1, (1 << 64) - 1
    ctime = ctime if abs(ctime) < 1 << 63 else UNSURE
    owner = uid & narrow, gid & narrow
    return (mode & 0xFFFF, *owner, _signed(size), _signed(mtime), ctime, inode & wide, links & narrow)
