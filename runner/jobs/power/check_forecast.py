"""Whether a boot checks a filesystem, and how long a whole check takes: a range, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

# Bytes a second, slow and fast: an old disk behind USB 2 and a new one; flash behind a bad bridge and a good one.
_TURNING = (25e6, 250e6)
_FLASH = (100e6, 3e9)
# Every folder is a block by itself: a way of the heads, or none.
_SEEK, _SEEK_FLASH = 0.008, 0.0003
# Starting, replaying the journal, waiting for other disks.
_AROUND = 3.0
# A disk that others use while it is measured is slower than it is, one that reads ahead is faster.
_FASTER, _SLOWER = 4.0, 3.0
# The last check against the next one; without knowing what was on the disk then, more is left open.
_LESS, _MORE, _MORE_UNKNOWN = 0.6, 1.6, 2.5
# One block of addresses stands for so many bytes of a file without extents.
_INDIRECT = 1024
_MEMORY_FOLDER, _MEMORY_INODE = 60, 24


@dataclass(frozen=True, kw_only=True, slots=True)
class AtBoot:
    """What decides whether a boot looks at a filesystem at all, whatever its superblock says.

    `passno` is fstab's last column, None without a line there; `words` are those of the kernel's command
    line and the files that force or skip all checks.
    """

    root: bool
    passno: int | None
    noauto: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What is on a filesystem, as far as it matters to a check; bytes and counts.

    `table` are the inode tables that are read. `directories` is None where nobody counted them.
    """

    table: int
    blocks: int
    block: int
    inodes: int
    inodes_used: int
    used: int
    directories: int | None = None
    extents: bool = False

    @property
    def folders(self) -> int:
        """How many directories there are; where nobody knows, as many as there could sensibly be."""
        return self.inodes_used // 2 if self.directories is None else self.directories

    @property
    def bytes(self) -> int:
        """How much a whole check reads, within some percent."""
        bitmaps = self.blocks // 8 + self.inodes // 8
        if self.extents:
            return self.table + self.folders * self.block + bitmaps
        # Measured: the part of the tables that is in use comes in twice.
        again = self.table * self.inodes_used // self.inodes if self.inodes else 0
        return self.table + again + self.folders * self.block + bitmaps + self.used // _INDIRECT

    @property
    def memory(self) -> int:
        """How much memory a check may need, at most."""
        # Several bits for each inode and each block: half a byte.
        bitmaps = (self.inodes + self.blocks) // 2
        return self.folders * _MEMORY_FOLDER + self.inodes_used * _MEMORY_INODE + bitmaps


@dataclass(frozen=True, kw_only=True, slots=True)
class Drive:
    """How fast the disk is: measured bytes a second, or None; whether it turns, None where it does not say."""

    speed: float | None = None
    rotates: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """How long a whole check of this filesystem took here; the counts are those of then, None if unknown."""

    seconds: float
    inodes_used: int | None = None
    used: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FsckForecast:
    """Why the boot checks it (None: it does not), and how many seconds a whole check takes.

    `least` and `most` are None where nobody can say; `source` is what they rest on, in words.
    """

    why: str | None
    least: float | None = None
    most: float | None = None
    source: str = "nothing is known about it"


def never(boot: AtBoot) -> str | None:
    """Why no boot looks at the filesystem; None where one does.

    The initramfs checks the root whatever its line in fstab says, and skips it when told both.
    """
    skip = next((word for word in boot.words if word in ("fsck.mode=skip", "fastboot", "/fastboot")), None)
    if skip and (boot.root or forced(boot) is None):
        return f"checks are switched off by {skip}"
    if boot.root:
        return None
    if boot.passno is None:
        return "fstab has no line for it"
    if boot.noauto:
        return "fstab says noauto"
    return None if boot.passno > 0 else "the last column of its line in fstab is 0"


def forced(boot: AtBoot) -> str | None:
    """Why the boot checks every filesystem that it looks at; None where it does not."""
    names = ("fsck.mode=force", "forcefsck", "/forcefsck")
    word = next((word for word in boot.words if word in names), None)
    return f"{word} forces a check of all filesystems" if word else None


def forecast(why: str | None, content: Content | None, drive: Drive, took: Sequence[Measured] = ()) -> FsckForecast:
    """How long the check takes that is due because of `why`: from the last one, or else from what it must read.

    `took` are checks of this very filesystem, newest first.
    """
    if took:
        return _as_last(why, content, took[0])
    if content is None:
        return FsckForecast(why=why)
    slow, fast = _FLASH if drive.rotates is False else _TURNING
    source = f"it has {_gigabytes(content.bytes)} to read; the speed of its disk was not measured"
    if drive.speed:
        slow, fast = drive.speed / _SLOWER, drive.speed * _FASTER
        source = f"it has {_gigabytes(content.bytes)} to read, and its disk read {drive.speed / 1e6:.0f} MB/s just now"
    seek = _SEEK_FLASH if drive.rotates is False else _SEEK
    # A disk's own memory, and reading ahead, can save every seek.
    least = replace(content, directories=content.directories or 0).bytes / fast
    most = content.bytes / slow + content.folders * seek + _AROUND
    return FsckForecast(why=why, least=least, most=most, source=source)


def _as_last(why: str | None, content: Content | None, last: Measured) -> FsckForecast:
    growth = _growth(content, last) if content else None
    more = _MORE if growth else _MORE_UNKNOWN
    times = growth or 1.0
    scaled = last.seconds * times
    grown = f", and there is {times:.1f} times as much to do now" if abs(times - 1) >= 0.1 else ""
    source = f"the last check here took {_seconds(last.seconds)}{grown}"
    return FsckForecast(why=why, least=scaled * _LESS, most=scaled * more + _AROUND, source=source)


def _growth(content: Content, last: Measured) -> float | None:
    """How many times as much there is to do now as at the last check; None where it is not known."""
    if not last.inodes_used or last.used is None or not content.inodes_used:
        return None
    folders = content.folders * last.inodes_used // content.inodes_used
    then = _weight(replace(content, inodes_used=last.inodes_used, used=last.used, directories=folders))
    return _weight(content) / then if then else None


def _weight(content: Content) -> float:
    # A folder costs more time than its bytes: weigh it as what a turning disk reads meanwhile.
    return content.bytes + content.folders * _SEEK * _TURNING[0]


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def _seconds(number: float) -> str:
    return f"{number:.1f} s" if number < 100 else f"{number / 60:.0f} min"
