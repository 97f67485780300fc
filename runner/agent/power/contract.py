"""The options and the answers of the verbs about a host's power."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional

from ..arguments import Count, Rest, Word


class AskIdle(NamedTuple):
    """Options of `idle`: which boot it must be, until when, and which stores nobody may hold."""

    boot: str = ""
    by: str = ""
    store: tuple[str, ...] = ()
    state: str = ""


class Idle(NamedTuple):
    """Answer of `idle`: whether nothing is being written, else why a reboot must wait in `error`."""

    idle: bool = False
    error: str = ""
    do: str = ""


class LookAfterBoot(NamedTuple):
    """Options of `returned`: what is looked at, and what it should be."""

    look: Word
    was: str = ""
    is_: str = ""
    at: str = ""
    uuid: str = ""
    writable: bool = False
    unit: str = ""
    known: tuple[str, ...] = ()


class WholeCheck(NamedTuple):
    """A whole check of a filesystem that this boot made; `mount` and `uuid` are "" where it is not mounted."""

    device: str
    mount: str = ""
    uuid: str = ""
    seconds: Optional[float] = None


class Returned(NamedTuple):
    """Answer of `returned`: whether it is as it should be, else why not in `error`, and what to `do`.

    `booted` and `up` are seconds since 1970: when the boot began, and when it was over. `checks` are None
    where nobody looked. What another look is about has its default.
    """

    returned: bool = False
    error: str = ""
    do: str = ""
    boot_id: str = ""
    booted: Optional[int] = None
    up: Optional[int] = None
    system: str = ""
    failed: tuple[str, ...] = ()
    checks: Optional[tuple[WholeCheck, ...]] = None
    running: str = ""
    uuid: str = ""


class Page(NamedTuple):
    """Options of `page`."""

    url: Word


class PageAnswer(NamedTuple):
    """Answer of `page`: whether it answers, else why not in `error`. `status` is None where there is none."""

    answers: bool = False
    status: Optional[int] = None
    error: str = ""
    do: str = ""


class InUse(NamedTuple):
    """Options of `in-use`: a folder, or a device."""

    plan: str = ""
    store: tuple[str, ...] = ()
    device: str = ""
    folder: Rest = ()


class FolderUsers(NamedTuple):
    """Answer of `in-use` for a folder: how many use it, and the first of them in words."""

    users: Count
    who: tuple[str, ...]


class DeviceState(NamedTuple):
    """Answer of `in-use` for a device: whether it has no errors marked on it, and whether it is mounted."""

    sound: bool
    mounted: bool


class LookAtBoot(NamedTuple):
    """Options of `boot-checks`."""

    devices: Rest
    speed: bool = False


class CheckTime(NamedTuple):
    """One unit that ran to its end: for which device ("" for the root), when it began, how long it took.

    `inodes` and `blocks` are what e2fsck counted in use, None where it only looked. Only the superblock says
    whether it was a whole check: its date of the last check lies within.
    """

    device: str
    started: datetime
    seconds: float
    inodes: Optional[Count]
    blocks: Optional[Count]


class ExtFilesystem(NamedTuple):
    """An ext filesystem as it was read; what is not known is None.

    `devices` are the options that name it. `superblock` is what dumpe2fs(8) printed, `exit` and `error` how it
    ended. `mount` is where it is mounted now, `at` where fstab mounts it, "" for nowhere; `pass_` is the last
    column of its line in fstab. `used` is in bytes. By the group table: `table`, the bytes of inode tables that
    a check reads, and `directories`. `backup_differs`: e2fsck will find other features in the copy of the superblock.
    `speed` is in bytes a second.
    """

    device: str
    devices: tuple[str, ...]
    mount: str
    superblock: str
    exit: Optional[int]
    error: str
    used: Optional[Count]
    inodes_used: Optional[Count]
    table: Optional[Count]
    directories: Optional[Count]
    extents: Optional[bool]
    rotates: Optional[bool]
    speed: Optional[float]
    pass_: Optional[int]
    at: str
    noauto: bool
    nofail: bool
    checks: tuple[CheckTime, ...]
    backup_differs: Optional[bool] = None


class BootChecks(NamedTuple):
    """Answer of `boot-checks`: all that decides which filesystems the next boot checks.

    `kernel` are the words of the kernel's command line that force or skip checks, `files` the files that do.
    `memory` is in bytes.
    """

    clock: datetime
    kernel: tuple[str, ...]
    files: tuple[str, ...]
    memory: Optional[Count]
    filesystems: tuple[ExtFilesystem, ...]
