"""How many records of looks somebody with a key may have, and how much room of the host they may take."""

from __future__ import annotations

import os
from pathlib import Path

from ..policy import limits

# A folder is of a job, and in it a filesystem has four files while a snapshot is made.
FOLDERS, FILES = 32, 512


def own(folder: Path) -> Path:
    """Where the records are that are said to be in `folder`: those of a key are apart, whatever it calls them.

    Whoever has it would else write the records by which this host's own runner, or another's, looks next.
    """
    return folder.parent / f".{limits.key()}" / folder.name if limits.is_bound() else folder


def require_few(folder: Path) -> None:
    """Refused where a key would have another folder of records, or another file in one, and has as many as any may."""
    if not limits.is_bound():
        return
    if not folder.is_dir():
        if folder.parent.is_dir() and len(os.listdir(folder.parent)) >= FOLDERS:  # noqa: PTH208
            limits.refuse(
                f"{folder.parent} has records of {FOLDERS} jobs, and from afar no more are made",
                "a person on this host removes those of jobs that are no more",
            )
    elif len(os.listdir(folder)) >= FILES:  # noqa: PTH208
        limits.refuse(f"{folder} has {FILES} records, and from afar no more are made", "remove that folder there")


def has_room(folder: Path) -> bool:
    """Whether a record may go on growing there: for a key the last of a disk is kept, as from what is received."""
    if not limits.is_bound():
        return True
    from ..host import room  # noqa: PLC0415  (only where a key is behind it)

    return room.guard(folder).look().left is not None
