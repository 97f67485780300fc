"""tune2fs(8): what the superblock of an ext filesystem says about its next check, and e2fsck's rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runner.model.plan import Argv


@dataclass(frozen=True, kw_only=True, slots=True)
class Superblock:
    """What `tune2fs -l` says of checks; `state` is "" where the text was no superblock.

    `last_checked` is UTC. `max_mounts` and `interval` are None where that check is switched off.
    `errors` is what the kernel met since the last check; alone it does not make e2fsck check.
    """

    state: str = ""
    mounts: int = 0
    max_mounts: int | None = None
    last_checked: datetime | None = None
    interval: timedelta | None = None
    errors: int = 0

    @property
    def next_check(self) -> datetime | None:
        """From when on a boot checks the filesystem because of its age; None where it never does."""
        if self.interval is None or self.last_checked is None:
            return None
        return self.last_checked + self.interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What only making the filesystem anew changes: its size and an inode's in bytes, how many inodes.

    All 0 where the text was no superblock.
    """

    bytes: int = 0
    inodes: int = 0
    inode_size: int = 0


def superblock(device: str) -> Argv:
    """Read the superblock of `device`, mounted or not; changes nothing. Needs root."""
    # The dates are local times without a zone, so the zone is ours.
    return ("env", "TZ=UTC", "LC_ALL=C", "tune2fs", "-l", "--", device)


def check_every(device: str, interval: timedelta) -> Argv:
    """Have `device` checked by the first boot after each `interval` (whole days, rounded up).

    Works while it is mounted. Counting mounts is switched off, since it says nothing about age.
    """
    return ("tune2fs", "-i", f"{whole_days(interval)}d", "-c", "0", "--", device)


def set_label(device: str, label: str) -> Argv:
    """Name the filesystem on `device`; `label` has 16 bytes at most. Works while it is mounted."""
    return ("tune2fs", "-L", label, "--", device)


def whole_days(interval: timedelta) -> int:
    """The interval in days as tune2fs keeps it, rounded up."""
    return math.ceil(interval / timedelta(days=1))


def parse_superblock(text: str) -> Superblock:
    """Read what `superblock` printed; a line that is missing or odd leaves its field unknown."""
    lines = _lines(text)
    most = _number(lines.get("Maximum mount count", ""))
    seconds = _number(lines.get("Check interval", ""))
    return Superblock(
        state=lines.get("Filesystem state", ""),
        mounts=_number(lines.get("Mount count", "")),
        max_mounts=most if most > 0 else None,
        last_checked=_date(lines.get("Last checked", "")),
        interval=timedelta(seconds=seconds) if seconds > 0 else None,
        errors=_number(lines.get("FS Error count", "")),
    )


def parse_shape(text: str) -> Shape:
    """Read the shape of the filesystem from what `superblock` printed."""
    lines = _lines(text)
    return Shape(
        bytes=_number(lines.get("Block count", "")) * _number(lines.get("Block size", "")),
        inodes=_number(lines.get("Inode count", "")),
        inode_size=_number(lines.get("Inode size", "")),
    )


def will_check(superblock: Superblock, now: datetime) -> str | None:
    """Why a boot at `now` would check the whole filesystem, as e2fsck -p decides; None if it would not.

    Only where fstab has it checked at all (its last column is not 0). While it is mounted the
    mount count includes this mount already. A power cut alone needs no check: the journal is replayed.
    """
    if "errors" in superblock.state:
        return "errors were found on it"
    if superblock.state.startswith("not clean"):
        return "it is not marked clean"
    if superblock.max_mounts is not None and superblock.mounts >= superblock.max_mounts:
        return f"it was mounted {superblock.mounts} times, and is checked after {superblock.max_mounts}"
    if superblock.interval is None or superblock.last_checked is None:
        return None
    if superblock.last_checked > now:
        return f"its last check is in the future ({superblock.last_checked:%Y-%m-%d}): the clock was wrong"
    if now - superblock.last_checked >= superblock.interval:
        days = whole_days(superblock.interval)
        return (
            f"its last check was on {superblock.last_checked:%Y-%m-%d}, and it is checked every {days} days"
        )
    return None


def _lines(text: str) -> dict[str, str]:
    # The label and the last mount point stand above the magic number and may contain anything,
    # line ends too; the first line of a kind below it is tune2fs's own.
    _, _, own = text.rpartition("\nFilesystem magic number:")
    lines: dict[str, str] = {}
    for line in own.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            lines.setdefault(key, value.strip())
    return lines


def _number(text: str) -> int:
    word = text.partition(" ")[0]
    return int(word) if word.removeprefix("-").isdecimal() else 0


def _date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
