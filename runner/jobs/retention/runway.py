"""How long a store's disk will do, at the growth of the last month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from runner.jobs.retention.room import brought, floor
from runner.model.facts import Snapshot, Space
from runner.model.names import snapshot_time
from runner.model.site import Amount, Retention
from runner.model.text import count

MONTH = timedelta(days=30)
LONGEST = 3650.0
_FOLDER = 4096
_LEAST = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """What one snapshot took of the disk, in bytes and inodes, when it was begun; None if unknown."""

    at: datetime
    bytes: int | None
    inodes: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Runway:
    """Days until the free room falls to its floor (0 if it has), at most `LONGEST`; None if unknown."""

    days_of_bytes: float | None
    days_of_inodes: float | None

    def words(self) -> str:
        """`41 days of bytes, 17 of inodes at the last month's growth`."""
        if self.days_of_bytes is None and self.days_of_inodes is None:
            return "how long the disk will last is not known yet"
        first = "bytes: not known" if self.days_of_bytes is None else f"{_days(self.days_of_bytes)} of bytes"
        return f"{first}, {self._inodes()} at the last month's growth"

    def _inodes(self) -> str:
        if self.days_of_inodes is None:
            return "inodes: not known"
        days = _days(self.days_of_inodes)
        # The unit once is enough where the second number is plain.
        short = self.days_of_bytes is not None and self.days_of_inodes < LONGEST
        return f"{days.rpartition(' ')[0] if short else days} of inodes"


def growth(sealed: Sequence[Snapshot]) -> tuple[Growth, ...]:
    """What each snapshot took, by its record.

    Every snapshot makes all folders anew, an inode and a block each, since folders cannot be linked.
    Where folders were not counted, the inodes are unknown: without folders they would be far too few.
    """
    return tuple(
        Growth(
            at=moment,
            bytes=None if room is None else room + _FOLDER * (taken.folders or 0),
            inodes=None if taken.added_files is None or taken.folders is None else taken.added_files + taken.folders,
        )
        for taken, room in zip(sealed, brought(sealed), strict=True)
        if (moment := snapshot_time(taken.name)) is not None
    )


def runway(history: Sequence[Growth], space: Space | None, policy: Retention | None) -> Runway:
    """How long `space` will do above the floors of `policy`, if nothing expires.

    The growth is that of the month before the newest snapshot, in whatever order `history` is; a
    snapshot of unknown growth is left out together with its time. Less than a day proves nothing.
    """
    if space is None:
        return Runway(days_of_bytes=None, days_of_inodes=None)
    least_bytes = policy.free_space if policy else None
    least_inodes = policy.free_inodes if policy else None
    ordered = sorted(history, key=lambda growth: growth.at)
    bytes_a_day = _a_day([(growth.at, growth.bytes) for growth in ordered])
    inodes_a_day = _a_day([(growth.at, growth.inodes) for growth in ordered])
    return Runway(
        days_of_bytes=_until(space.free, space.size, least_bytes, bytes_a_day),
        # A filesystem that counts no inodes has 0 of 0.
        days_of_inodes=_until(space.inodes_free, space.inodes, least_inodes, inodes_a_day) if space.inodes else LONGEST,
    )


def _a_day(history: Sequence[tuple[datetime, int | None]]) -> float | None:
    """The mean growth a day: what a snapshot took belongs to the time since the one before it."""
    total, known = 0, timedelta()
    for (before, _), (at, taken) in pairwise(history):
        if taken is not None and before >= history[-1][0] - MONTH:
            total += taken
            known += at - before
    return total / (known / timedelta(days=1)) if known >= _LEAST else None


def _until(free: int, whole: int, least: Amount | None, a_day: float | None) -> float | None:
    room = free - (floor(least, whole) if least else 0)
    if room <= 0:
        return 0.0
    if a_day is None:
        return None
    return min(room / a_day, LONGEST) if a_day > 0 else LONGEST


def _days(days: float) -> str:
    return "more than 10 years" if days >= LONGEST else count(int(days), "day")
