"""Options and answers of the verbs for a disk."""

from __future__ import annotations

from typing import NamedTuple

from ..arguments import Count, PathWord, Uuid


class PutFstabLine(NamedTuple):
    """Options of `put-fstab-line`: the line that is there, "" for none, and the one that is to be."""

    new: str
    old: str = ""
    file: str = "/etc/fstab"


class FstabLinePut(NamedTuple):
    """Answer of `put-fstab-line`."""

    line: str


class CountFstabLines(NamedTuple):
    """Options of `fstab-lines`: the mount point that they are counted for."""

    mount: PathWord
    file: str = "/etc/fstab"


class FstabLines(NamedTuple):
    """Answer of `fstab-lines`."""

    fstab_lines: Count


class MakeUnwritable(NamedTuple):
    """Options of `make-unwritable`: the mount point."""

    mount: PathWord


class MadeUnwritable(NamedTuple):
    """Answer of `make-unwritable`."""

    unwritable: bool


class MarkDisk(NamedTuple):
    """Options of `mark-disk`: the store, the uuid of the disk that it is on, and since when."""

    store: PathWord
    uuid: Uuid
    since: str


class DiskMarked(NamedTuple):
    """Answer of `mark-disk`: the uuid that the store keeps, which may have been there before."""

    uuid: str
