"""What makes it unwise to expire anything: a clock that cannot be right, a source that shrank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median, median_high

from runner.model.cause import Fault
from runner.model.facts import Snapshot
from runner.model.names import snapshot_time
from runner.model.text import count, length, one_line

# More than CLOSE, within which the next snapshot still gets a name: a clock that was set right by so little is none to
# doubt, and what expires does not hang on it.
SLACK = timedelta(minutes=5)
SILENCE = timedelta(days=14)
TIMES_THE_USUAL = 10
_RECENT = 10
_WEEK = 7
_NAMED = 10
# A filesystem with fewer files than this part of what it had is as good as empty.
_LEFT, _WORTH = 10, 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """What a person should look into, and what to do about it.

    `fault`: what is wrong with the store, where other jobs suffer from it as well.
    """

    text: str
    do: str
    fault: Fault | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FilesBefore:
    """How many files a snapshot of `host` usually has, and by how many percent the next may have fewer."""

    host: str
    usual: int
    max_shrink: float

    def shrank(self, name: str, files: int) -> Doubt | None:
        """Doubt the source of the snapshot `name` with so many files."""
        if files * 100 >= self.usual * (100 - self.max_shrink):
            return None
        return Doubt(
            text=f"{one_line(self.host or 'the source')} shrank: {count(files, 'file')} in {name}, {self.usual:,} "
            f"before; max_shrink is {self.max_shrink:g} %",
            do="see that all of it was mounted and is there; if it was meant, raise max_shrink, or wait: it goes "
            f"on by itself once most of the last {_WEEK} snapshots are of the new size",
        )


def files_before(ordered: Sequence[Snapshot], host: str | None, max_shrink: float) -> FilesBefore | None:
    """The measure for a snapshot of `host` that comes after `ordered`: those that were not counted are none.

    As many as the one before had, or as most of the last seven.
    """
    before = [snapshot.files for snapshot in ordered if snapshot.host == host and snapshot.files is not None]
    if not before:
        return None
    usual = max(before[-1], median_high(before[-_WEEK:]))
    return FilesBefore(host=host or "", usual=usual, max_shrink=max_shrink)


def moments(ordered: Sequence[Snapshot]) -> tuple[datetime, ...]:
    """When the snapshots were begun, by their names."""
    return tuple(moment for snapshot in ordered if (moment := snapshot_time(snapshot.name)) is not None)


def clock_behind(times: Sequence[datetime], now: datetime) -> Doubt | None:
    """Doubt a clock that stands more than five minutes before the newest of `times` (oldest first)."""
    if not times or times[-1] - now <= SLACK:
        return None
    return Doubt(
        text=f"the clock says {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {length(times[-1] - now)} before "
        "the newest snapshot was begun",
        do="set the clock right",
        fault=Fault.CLOCK,
    )


def out_of_the_count(store: str, names: Sequence[str]) -> tuple[str, str]:
    """Which of these snapshots of a store, in words, the command takes out of the count; and the command.

    Nobody has to copy a line of many: what it leaves, the next message names.
    """
    named = names[:_NAMED]
    them = "it" if len(names) == 1 else "them"
    if len(names) > len(named):
        them = f"the first {len(named)} of {len(names)} (the next run names the others)"
    return them, f"runner snapshots {store} --set-aside {' '.join(named)}"


def clock_ahead(times: Sequence[datetime], now: datetime) -> Doubt | None:
    """Doubt a clock that stands more than 14 days, and ten times the usual distance of the last
    snapshots, after the newest of `times` (oldest first).

    A clock that jumped and a disk that lay in a drawer look the same from here.
    """
    apart = [(later - earlier).total_seconds() for earlier, later in pairwise(times[-_RECENT - 1 :])]
    if not apart:
        return None
    gap, usual = now - times[-1], timedelta(seconds=median(apart))
    if gap <= SILENCE or gap <= TIMES_THE_USUAL * usual:
        return None
    return Doubt(
        text=f"the newest snapshot is {length(gap)} old, they used to be {length(usual)} apart: "
        "nothing is thinned and no pin runs out until there is a newer one",
        do="see that the clock is right and why there was no snapshot for so long",
    )


def emptied(ordered: Sequence[Snapshot], host: str) -> tuple[str, ...]:
    """For each filesystem of which the newest snapshot of `host` has next to nothing: what it had before, in words.

    As for `files_before` that is what the one before had, or most of the last seven: so it is told for some days.
    """
    own, texts = [snapshot for snapshot in ordered if snapshot.host == host], list[str]()
    if not own:
        return ()
    *before, newest = own
    for now in newest.filled:
        had = [each.files for snapshot in before for each in snapshot.filled if each.mount == now.mount]
        usual = max(had[-1], median_high(had[-_WEEK:])) if had else 0
        if usual >= _WORTH and now.files * 100 < usual * _LEFT:
            where = f"{one_line(now.mount)} of {one_line(host or 'the source')}"
            texts.append(f"{where} is as good as empty: {count(now.files, 'file')} in {newest.name}, {usual:,} before")
    return tuple(texts)


def hollow(ordered: Sequence[Snapshot]) -> Doubt | None:
    """Doubt a source of which a filesystem is as good as empty in the newest snapshot: it may not have been mounted."""
    texts = emptied(ordered, ordered[-1].host) if ordered else ()
    if not texts:
        return None
    return Doubt(
        text="; ".join(texts),
        do="see that it is mounted, and that all of it is there; if it was meant, wait: it goes on by itself once "
        f"most of the last {_WEEK} snapshots have it so",
    )


def shrunk(ordered: Sequence[Snapshot], max_shrink: float) -> Doubt | None:
    """Doubt a source of which the newest snapshot has over `max_shrink` percent fewer files.

    Fewer than the one before of the same host had, or than most of the seven before: so a source that
    is half empty is doubted for some days, and not only until its second snapshot. A snapshot
    whose files were not counted is no measure.
    """
    newest = ordered[-1] if ordered else None
    if newest is None or newest.files is None:
        return None
    before = files_before(ordered[:-1], newest.host, max_shrink)
    return before.shrank(newest.name, newest.files) if before else None
