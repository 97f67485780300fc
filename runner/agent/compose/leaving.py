"""What a snapshot has that the next one has no more: counted while that one is made, since nothing else walks both.

An inode is in snapshots that follow one another, each made of the one before. So what the next one lacks is what is
gained when a snapshot expires and all those before it are gone.
"""

from __future__ import annotations

import array
import gzip
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional

from .. import regular
from ..rsync_lines import escaped, unescaped
from ..store.freed import BLOCK

# So many inode numbers are counted at once, to bound the memory; and so many groups are noted at most.
AT_ONCE, MOST_GROUPS = 250_000, 65_536
MOST_GONE = 250_000


class Taken(NamedTuple):
    """Bytes and inodes on the disk."""

    bytes: int = 0
    inodes: int = 0

    def and_of(self, status: os.stat_result) -> Taken:
        """With one more inode."""
        return Taken(self.bytes + status.st_blocks * BLOCK, self.inodes + 1)


def several(inodes: array.array[int], at_once: int = AT_ONCE, most: int = MOST_GROUPS) -> Optional[dict[int, int]]:  # noqa: UP045
    """Those that are there more than once, and how often; None where they are too many to note.

    Of as many as `at_once` it remembers each.
    """
    groups: dict[int, int] = {}
    shares = len(inodes) // at_once + 1
    for share in range(shares):
        part = inodes if shares == 1 else [inode for inode in inodes if inode % shares == share]
        if len(set(part)) < len(part):
            groups.update((inode, names) for inode, names in Counter(part).items() if names > 1)
        if len(groups) > most:
            return None
    return groups


class GoneNames:
    """Names that one snapshot has of another's no more: the `names`, and whatever is in the folders."""

    def __init__(self, names: Set[bytes], folders: Set[bytes]) -> None:
        self.names = names
        self._folders = folders

    def among(self, paths: Iterable[bytes]) -> Set[bytes]:
        """Those of the paths that are gone."""
        asked = set(paths)
        gone = self.names & asked
        if not self._folders:
            return gone
        above = {path.rpartition(b"/")[0] for path in asked}
        lost = {folder for folder in above if self._is_in_folder(folder)}
        return gone | {path for path in asked if path.rpartition(b"/")[0] in lost} if lost else gone

    def _is_in_folder(self, parent: bytes) -> bool:
        parts = parent.split(b"/")
        return any(b"/".join(parts[:depth]) in self._folders for depth in range(1, len(parts) + 1))


def gone_names(path: Path, most: int = MOST_GONE) -> Optional[GoneNames]:  # noqa: UP045
    """Those that `Leaving` wrote to a file; None where it is not there, damaged, or has too many to remember."""
    names, folders = set[bytes](), set[bytes]()
    try:
        with regular.opened(path) as packed, gzip.open(packed, "rb") as stream:
            for raw in stream:
                # Names with a newline are escaped.
                line = raw[:-1]
                name = unescaped(line)
                (folders if line.endswith(b"/") else names).add(name)
                if len(names) + len(folders) > most:
                    return None
    except (OSError, EOFError, zlib.error):
        return None
    return GoneNames(names, folders)


class Leaving:
    """Counts the inodes of a clone whose last name in it goes; `groups` are those that have several, and how many.

    To `names` it writes which names the clone has no more, or has of another inode; `place` is where it is in the
    snapshot.
    """

    def __init__(self, groups: Mapping[int, int], names: Optional[BinaryIO] = None, place: bytes = b"") -> None:  # noqa: UP045
        self._names = names
        self._place = place + b"/" if place else b""
        self._left = dict(groups)
        self._rooms: dict[int, Taken] = {}
        self._alone = Taken()

    def name(self, path: bytes, *, is_folder: bool) -> None:
        """What the clone had at `path` is there no more; of a folder all that is in it."""
        if self._names:
            self._names.write(escaped(self._place + path) + (b"/\n" if is_folder else b"\n"))

    def goes(self, status: os.stat_result) -> None:
        """A name of this inode is about to go. What has no other came from nobody, and is not counted."""
        inode = status.st_ino
        if inode in self._left:
            self._left[inode] -= 1
            self._rooms[inode] = Taken().and_of(status)
        elif status.st_nlink > 1:
            self._alone = self._alone.and_of(status)

    def comes(self, inode: int) -> None:
        """An inode of the clone has one name more."""
        if inode in self._left:
            self._left[inode] += 1

    @property
    def taken(self) -> Taken:
        """What all those take."""
        gone = [room for inode, room in self._rooms.items() if not self._left[inode]]
        return Taken(
            self._alone.bytes + sum(room.bytes for room in gone), self._alone.inodes + sum(room.inodes for room in gone)
        )
