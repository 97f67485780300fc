"""What changed since the basis was begun, where no record of it says what it was: the times of changes tell.

rsync's comparison sees no edit that keeps size and time. But where all was restored or moved, each file changed in this
sense, and all would be sent at once: then only rsync says what differs.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from .entries import CTIME, MODE, SIZE, PackedFolder, is_folder

# The clocks of hosts may differ by half of that.
SLACK = 600 * 10**9
# So many names, or so long, and of a source that has more a tenth: what is sent has to have room at the store.
NAMES, BYTES, PART = 1000, 100 << 20, 10


class ChangedSince(NamedTuple):
    """How many names, no folders, have a later ctime than `moment` (ns), and how long these files are; and of all."""

    moment: int
    names: int
    size: int
    all_names: int
    all_size: int

    @property
    def is_little(self) -> bool:
        """Whether it is so little that all of it can be sent."""
        return self.names <= max(NAMES, self.all_names // PART) and self.size <= max(BYTES, self.all_size // PART)


def began(name: str) -> int:
    """Before when (ns since 1970) whatever a snapshot of that name has was as it was when this was copied."""
    moment = datetime.strptime(name, "%Y-%m-%dT%H%M%SZ").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9 - SLACK


def changed_since(moment: int, folders: Iterator[PackedFolder]) -> ChangedSince:
    """Count in the folders of a record. Raises ValueError where it is damaged."""
    names = size = all_names = all_size = 0
    for folder in folders:
        for _, row in folder.entries():
            length = row[SIZE] if stat.S_ISREG(row[MODE]) else 0
            all_names, all_size = all_names + 1, all_size + length
            # What is doubtful is noted below 0.
            if abs(row[CTIME]) > moment and not is_folder(row):
                names, size = names + 1, size + length
    return ChangedSince(moment, names, size, all_names, all_size)
