"""dumpe2fs(8), tune2fs(8): what an ext filesystem says about its next check, and e2fsck's rule; its settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from runner.model.plan import Argv
from runner.model.text import whole_number

# e2fsck.conf(5), accept_time_fudge: on unless somebody switched it off.
_FUDGE = timedelta(days=1)
# What the superblock has room for: 32 bits of an interval, and 34 of a time.
_LONGEST = 2**32 - 1
_EPOCH, _LAST_YEAR = 1970, 2446


@dataclass(frozen=True, kw_only=True, slots=True)
class Superblock:
    """What `dumpe2fs -h` says of checks; `state` is "" where the text was no superblock.

    `last_checked`, `last_mounted` and `last_written` are UTC. `max_mounts` and `interval` are None where
    that check is switched off. `errors` is what the kernel met since the last check; alone it does not
    make e2fsck check. Of its `journal`, if it has one: `journal_error` is what the kernel noted there, `journal_start`
    where something is to be replayed (0: nothing is), and `replay` says that it will be. dumpe2fs does not say
    whether it is `mounted`, and whether the features in the copy of the superblock are others (`backup_differs`).
    """

    state: str = ""
    mounts: int = 0
    max_mounts: int | None = None
    last_checked: datetime | None = None
    interval: timedelta | None = None
    errors: int = 0
    last_mounted: datetime | None = None
    last_written: datetime | None = None
    journal: bool = False
    journal_error: int = 0
    journal_start: int = 0
    replay: bool = False
    mounted: bool = False
    backup_differs: bool = False

    @property
    def next_check(self) -> datetime | None:
        """From when on a boot checks the filesystem because of its age; None where it never does."""
        if self.interval is None or self.last_checked is None:
            return None
        return self.last_checked + self.interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What only making the filesystem anew changes: its size, a block's and an inode's in bytes, how many inodes.

    All 0 where the text was no superblock.
    """

    bytes: int = 0
    inodes: int = 0
    inode_size: int = 0
    block: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckDue:
    """Why a filesystem is checked: damage, mounts or age, or dates that were set by a wrong clock."""

    cause: Literal["damage", "mounts", "age", "clock"]
    why: str


def superblock(device: str) -> Argv:
    """Read the superblock of `device`, mounted or not; changes nothing. Needs root."""
    # The dates are local times without a zone, so the zone is ours.
    return ("env", "TZ=UTC", "LC_ALL=C", "dumpe2fs", "-h", "--", device)


def check_every(device: str, interval: timedelta) -> Argv:
    """Have `device` checked by the first boot after each `interval` (whole days, rounded up).

    Works while it is mounted. Counting mounts is switched off, since it says nothing about age.
    """
    return ("tune2fs", "-i", f"{whole_days(interval)}d", "-c", "0", "--", device)


def switch_off(device: str) -> Argv:
    """Have no boot check `device` because of its age or its mounts, until `switch_on`; damage still counts.

    Works while it is mounted. When it was checked last, and how often mounted since, stays as it is.
    """
    return ("tune2fs", "-i", "0", "-c", "0", "--", device)


def switch_on(device: str, superblock: Superblock) -> Argv:
    """Have `device` checked by age and mounts again, exactly as `superblock` says that it was."""
    seconds = round(superblock.interval.total_seconds()) if superblock.interval else 0
    return ("tune2fs", "-i", f"{seconds}s", "-c", str(superblock.max_mounts or 0), "--", device)


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
    features = lines.get("Filesystem features", "").split()
    return Superblock(
        state=lines.get("Filesystem state", ""),
        mounts=_number(lines.get("Mount count", "")),
        max_mounts=most if most > 0 else None,
        last_checked=_date(lines.get("Last checked", "")),
        interval=timedelta(seconds=min(seconds, _LONGEST)) if seconds > 0 else None,
        errors=_number(lines.get("FS Error count", "")),
        last_mounted=_date(lines.get("Last mount time", "")),
        last_written=_date(lines.get("Last write time", "")),
        journal="has_journal" in features,
        journal_error=_number(lines.get("Journal errno", "")),
        journal_start=_number(lines.get("Journal start", "")),
        replay="needs_recovery" in features,
    )


def parse_shape(text: str) -> Shape:
    """Read the shape of the filesystem from what `superblock` printed."""
    lines = _lines(text)
    return Shape(
        bytes=_number(lines.get("Block count", "")) * _number(lines.get("Block size", "")),
        inodes=_number(lines.get("Inode count", "")),
        inode_size=_number(lines.get("Inode size", "")),
        block=_number(lines.get("Block size", "")),
    )


def parse_used(text: str) -> tuple[int, int]:
    """Bytes and inodes in use as `superblock` printed them: true of a filesystem that is not mounted."""
    lines = _lines(text)
    shape = parse_shape(text)
    free = _number(lines.get("Free blocks", "")) * shape.block
    return shape.bytes - free, shape.inodes - _number(lines.get("Free inodes", ""))


def will_check(superblock: Superblock, now: datetime) -> str | None:
    """Why a boot at `now` would check the whole filesystem, as e2fsck -p decides; None if it would not.

    Only where fstab has it checked at all (its last column is not 0). While it is mounted the
    mount count includes this mount already. A power cut alone needs no check: the journal is replayed.
    """
    reason = due(superblock, now)
    return reason.why if reason else None


def due(superblock: Superblock, now: datetime) -> CheckDue | None:
    """As `will_check`, with the kind of reason: whether it can wait depends on that.

    By the host's clock at the time of the boot: e2fsck takes dates up to a day ahead of it for those
    of a clock kept in local time.
    """
    if why := damage(superblock):
        return CheckDue(cause="damage", why=why)
    now = now.replace(microsecond=0)
    ahead = _ahead(superblock, now)
    if ahead:
        return CheckDue(cause="clock", why=ahead)
    if superblock.max_mounts is not None and superblock.mounts >= superblock.max_mounts:
        why = f"it was mounted {superblock.mounts} times, and is checked after {superblock.max_mounts}"
        return CheckDue(cause="mounts", why=why)
    return _by_age(superblock, now)


def damage(superblock: Superblock) -> str:
    """What is wrong with it, whatever the time, so that e2fsck checks it; "" where nothing is."""
    if "errors" in superblock.state:
        return "errors were found on it"
    if superblock.journal_error:
        return f"its journal notes an error ({superblock.journal_error})"
    if superblock.journal_start and not superblock.replay:
        return "its journal has data that nothing says is to be replayed"
    # Without a journal it is never marked clean while it is mounted.
    if superblock.state.startswith("not clean") and not (superblock.mounted and not superblock.journal):
        return "it is not marked clean"
    return "the copy of its superblock has other features" if superblock.backup_differs else ""


def _ahead(superblock: Superblock, now: datetime) -> str:
    """Which of its dates of use lies so far ahead that e2fsck puts it right, and then checks."""
    # What is mounted is written before that, and so is a journal replayed: by the clock of then.
    written = None if superblock.replay or superblock.mounted else superblock.last_written
    # It matters only where the filesystem is checked by age at all.
    if superblock.interval is not None:
        for what, date in (("mount", superblock.last_mounted), ("write", written)):
            if date is not None and date > now + _FUDGE:
                return f"its last {what} is in the future ({date:%Y-%m-%d}): the clock was wrong, or is"
    return ""


def _by_age(superblock: Superblock, now: datetime) -> CheckDue | None:
    last = superblock.last_checked
    if superblock.interval is None or last is None:
        return None
    if last > now:
        # What is less than a day ahead counts as a day old.
        last -= _FUDGE
    if last > now:
        why = f"its last check is in the future ({superblock.last_checked:%Y-%m-%d}): the clock was wrong"
        return CheckDue(cause="clock", why=why)
    if now - last < superblock.interval:
        return None
    days = whole_days(superblock.interval)
    why = f"its last check was on {superblock.last_checked:%Y-%m-%d}, and it is checked every {days} days"
    return CheckDue(cause="age", why=why)


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
    sign, minus, digits = text.partition(" ")[0].rpartition("-")
    value = whole_number(digits) if not sign else None
    return (-value if minus else value) if value is not None else 0


def _date(text: str) -> datetime | None:
    try:
        moment = datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment if _EPOCH <= moment.year <= _LAST_YEAR else None
