"""The room of a filesystem: what is free, and the last of it, which nothing that is sent there may take."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..arguments import MOST
from ..store.layout import nearest
from .mounts import Mount, mount_of, mounts

MIB, GIB = 1 << 20, 1 << 30
# Faster than any disk takes bytes and names: it is looked again before what is left can be gone.
BYTES_A_SECOND, INODES_A_SECOND = 4 * GIB, MIB
SELDOM, OFTEN = 0.25, 0.001
# Where a system writes all the time. A filesystem that holds one of these is never only a store's.
SYSTEM = ("/", "/var")


class Room(NamedTuple):
    """So many bytes, so many inodes."""

    bytes: int
    inodes: int


def last(space: os.statvfs_result, *, system: bool) -> Room:
    """What must stay free, in root's count (f_bfree) of what is.

    On a disk of its own, 1 %: the seal, the records, and what is written to make room need some. Never more than
    1 GiB and 10,000 inodes, so that a large disk is used, and never less than it takes to note what expiring would
    free. With the system on it, 5 %, 4 GiB and 100,000 inodes at most, above what is reserved for root: a system whose
    users, database and logs can write no more is down, and root's part is there for its repair.
    """
    size, inodes = space.f_blocks * space.f_frsize, space.f_files
    if system:
        reserved = min(max(0, space.f_bfree - space.f_bavail) * space.f_frsize, MOST // 2)
        return Room(reserved + min(size // 20, 4 * GIB), min(inodes // 20, 100_000))
    return Room(min(max(size // 100, 2 * MIB), size // 20, GIB), min(max(inodes // 100, 32), inodes // 20, 10_000))


def free(space: os.statvfs_result) -> Room:
    """What root may still write; statvfs(3). Some filesystems have no such number, and give one that is beyond all."""
    return Room(min(space.f_bfree * space.f_frsize, MOST), min(space.f_ffree, MOST))


def short(free: Room, last: Room) -> bool:
    """Whether less is free than the last. A filesystem that counts no inodes has a last of 0."""
    return free.bytes < last.bytes or free.inodes < last.inodes


class Seen(NamedTuple):
    """What is free of a filesystem, and the last of it."""

    free: Room
    last: Room

    @property
    def least(self) -> Room:
        """What must be free for anything to be sent.

        Between the look and the end of whoever writes a little more is taken, what it had in memory too: that is not to
        be of the last.
        """
        late_bytes = min(max(self.last.bytes // 8, MIB), 64 * MIB, self.last.bytes)
        late_inodes = min(max(self.last.inodes // 8, 16), 1000, self.last.inodes)
        return Room(self.last.bytes + late_bytes, self.last.inodes + late_inodes)

    @property
    def left(self) -> Room | None:
        """How much may still be taken; None where nothing may."""
        free, least = self.free, self.least
        return None if short(free, least) else Room(free.bytes - least.bytes, free.inodes - least.inodes)


class Guard(NamedTuple):
    """A look at the room of the filesystem that a folder is on, given as a path or as a descriptor.

    `system`: which part of the system is on it too, "" for none. `name` is the folder's.
    """

    folder: Path | int
    system: str
    name: str = ""

    def look(self) -> Seen:
        """What is free now."""
        return self.seen(os.statvfs(self.folder))

    def seen(self, space: os.statvfs_result) -> Seen:
        """The same, for who has looked already."""
        return Seen(free(space), last(space, system=bool(self.system)))


def pause(left: Room) -> float:
    """How many seconds may pass before the next look, with so much left. A last inode is not counted down to 0."""
    seconds = left.bytes / BYTES_A_SECOND
    if left.inodes:
        seconds = min(seconds, left.inodes / INODES_A_SECOND)
    return max(OFTEN, min(SELDOM, seconds))


def guard(folder: Path, *, by_hand: bool = False) -> Guard:
    """For a folder that is there, or for the nearest above it that is. A person may take what is the system's."""
    here = nearest(folder.resolve())
    return Guard(here, "" if by_hand else system_on(here), str(here))


def guards(folder: Path, writes: Sequence[str], *, by_hand: bool = False) -> tuple[Guard, ...]:
    """One for each filesystem that is written to, that of `folder` first.

    A person who may take what is the system's there has said so of that one alone.
    """
    first = guard(folder, by_hand=by_hand)
    if not writes:
        return (first,)
    among = mounts()
    known = {_pool(nearest(folder.resolve()), among): first}
    for each in writes:
        here = nearest(Path(each).resolve())
        known.setdefault(_pool(here, among), Guard(here, system_on(here), str(here)))
    return tuple(known.values())


def tightest(among: Sequence[Guard]) -> tuple[Seen, str]:
    """What is seen of the filesystem that may be full first, and its name."""
    looks = [(each.look(), each.name) for each in among]
    return min(looks, key=lambda look: pause(look[0].left) if look[0].left else 0.0)


class NotedEnd(NamedTuple):
    """How the transfer of a partial ended, as `keep-room` noted it: None for what is not known.

    `full`: it was ended for room, when so much was `seen` to be free; `free` is what was free after its end, and `sent`
    what the partial takes.
    """

    full: bool | None = None
    free: Room | None = None
    sent: Room | None = None
    seen: Room | None = None


def ended(begun: Mapping[str, object]) -> NotedEnd:
    """What is noted in the description of a partial."""
    note = begun.get("ended")
    if not isinstance(note, dict) or type(note.get("full")) is not bool:
        return NotedEnd()
    return NotedEnd(note["full"], read(note.get("free")), read(note.get("sent")), read(note.get("seen")))


def read(noted: object) -> Room | None:
    """A Room that was noted as JSON; None for anything else."""
    values = [noted.get(key) for key in Room._fields] if isinstance(noted, dict) else []
    numbers = [value for value in values if type(value) is int and 0 <= value <= MOST]
    return Room(*numbers) if len(numbers) == len(Room._fields) else None


def system_on(folder: Path) -> str:
    """Which part of the system shares the filesystem that `folder` (it exists) is on: `/`, `/var`, or ""."""
    among = mounts()
    own = _pool(folder, among)
    return next((place for place in SYSTEM if _pool(Path(place).resolve(), among) == own), "")


def _pool(folder: Path, among: tuple[Mount, ...]) -> tuple[int, str]:
    """What the room of a folder comes from: its device, or the pool where several filesystems share one."""
    mount = mount_of(folder, among)
    if mount and mount.type in ("btrfs", "zfs"):
        return 0, mount.source if mount.type == "btrfs" else mount.source.partition("/")[0]
    return folder.stat().st_dev, ""
