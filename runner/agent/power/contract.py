"""What the verbs of a host's power are told, and what they answer."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional

from ..arguments import Rest, Word


class AskStill(NamedTuple):
    """Options of `still`."""

    boot: str = ""
    by: str = ""
    store: tuple[str, ...] = ()
    state: str = ""


class Still(NamedTuple):
    """Answer of `still`: whether nothing is being written, else why a reboot must wait in `error`."""

    still: bool = False
    error: Optional[str] = None
    do: str = ""
    writing: tuple[str, ...] = ()


class CameBack(NamedTuple):
    """Options of `came-back`: what is looked at, and what it should be."""

    look: Word
    was: str = ""
    is_: str = ""
    at: str = ""
    uuid: str = ""
    writable: bool = False
    unit: str = ""
    known: tuple[str, ...] = ()


class Page(NamedTuple):
    """Options of `page`."""

    url: Word


class InUse(NamedTuple):
    """Options of `in-use`: a folder, or a device."""

    plan: str = ""
    store: tuple[str, ...] = ()
    device: str = ""
    folder: Rest = ()


class LookAtBoot(NamedTuple):
    """Options of `boot-checks`."""

    devices: Rest
    speed: bool = False


class Time(NamedTuple):
    """One unit that ran to its end: for which device ("" for the root), when it began, how long it took.

    `inodes` and `blocks` are what e2fsck counted in use, None where it only looked. Whether it was a
    whole check is told by the superblock, whose date of the last check lies within, and by nothing here.
    """

    device: str
    started: datetime
    seconds: float
    inodes: Optional[int]
    blocks: Optional[int]


class Looked(NamedTuple):
    """An ext filesystem as it was looked at; what is not known is None.

    `superblock` is what tune2fs(8) printed, `exit` and `error` how it ended. `pass_` and `at` are from fstab.
    """

    device: str
    mount: str
    superblock: str
    exit: Optional[int]
    error: str
    used: Optional[int]
    inodes_used: Optional[int]
    table: Optional[int]
    directories: Optional[int]
    extents: Optional[bool]
    rotates: Optional[bool]
    speed: Optional[float]
    pass_: Optional[int]
    at: str
    noauto: bool
    nofail: bool
    asked: tuple[str, ...]
    checks: tuple[Time, ...]


class BootChecks(NamedTuple):
    """Answer of `boot-checks`: all that decides which filesystems the next boot checks.

    `kernel` are the words of the kernel's command line that force or skip checks, `files` those found.
    """

    clock: datetime
    kernel: tuple[str, ...]
    files: tuple[str, ...]
    memory: Optional[int]
    filesystems: tuple[Looked, ...]
