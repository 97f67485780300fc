"""What makes it unwise to expire anything: a clock that cannot be right, a source that shrank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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


def history(doubted: str) -> Doubt:
    """Doubt all that a store says of itself, where its history is `doubted`."""
    do = "see what is said of its history: nothing goes before a person knows why"
    return Doubt(text=doubted, do=do, fault=Fault.HISTORY)


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


def by_host(ordered: Sequence[Snapshot]) -> tuple[tuple[Snapshot, ...], ...]:
    """The snapshots of each host, oldest first; the host of the newest comes first."""
    hosts: dict[str, list[Snapshot]] = {}
    for snapshot in reversed(ordered):
        hosts.setdefault(snapshot.host, []).append(snapshot)
    return tuple(tuple(reversed(own)) for own in hosts.values())


def sources(ordered: Sequence[Snapshot], max_shrink: float) -> tuple[Doubt, ...]:
    """Doubt each source that lost much, by its own newest snapshot and those before that; `ordered` is oldest first.

    All that a store holds expires together, of whichever host it is: while one of them is in doubt nothing goes, or the
    last good snapshots of that one would.
    """
    hosts = by_host(ordered)
    several = sum(own[0].host != "" for own in hosts) > 1
    doubts = ((doubt, own) for own in hosts for doubt in (shrunk(own, max_shrink), hollow(own)) if doubt)
    return tuple(_or_aside(doubt, own[-1]) if several else doubt for doubt, own in doubts)


def _or_aside(doubt: Doubt, newest: Snapshot) -> Doubt:
    """Of several hosts one may be copied no more: then no snapshot of it ever comes that ends the doubt."""
    gone = f"where {one_line(newest.host or 'it')} is copied no more"
    return replace(doubt, do=f"{doubt.do}; {gone}: `runner snapshots --set-aside {one_line(newest.name)}`")


def hollow(own: Sequence[Snapshot]) -> Doubt | None:
    """Doubt the source of these where a filesystem is as good as empty in the newest: it may not have been mounted.

    As for `files_before` it had what it had in the one before, or in most of the last seven: so it is doubted for some
    days.
    """
    texts = []
    for now in own[-1].filled if own else ():
        had = [each.files for snapshot in own[:-1] for each in snapshot.filled if each.mount == now.mount]
        usual = max(had[-1], median_high(had[-_WEEK:])) if had else 0
        if usual >= _WORTH and now.files * 100 < usual * _LEFT:
            where = f"{one_line(now.mount)} of {one_line(own[-1].host or 'the source')}"
            texts.append(f"{where} is as good as empty: {count(now.files, 'file')} in {own[-1].name}, {usual:,} before")
    if not texts:
        return None
    return Doubt(
        text="; ".join(texts),
        do="see that it is mounted, and that all of it is there; if it was meant, wait: it goes on by itself once "
        f"most of the last {_WEEK} snapshots have it so",
    )


def shrunk(own: Sequence[Snapshot], max_shrink: float) -> Doubt | None:
    """Doubt the source of these where the newest has over `max_shrink` percent fewer files.

    Fewer than the one before had, or than most of the seven before: so a source that is half empty is doubted for some
    days, and not only until its second snapshot. A snapshot whose files were not counted is no measure.
    """
    newest = own[-1] if own else None
    if newest is None or newest.files is None:
        return None
    before = files_before(own[:-1], newest.host, max_shrink)
    return before.shrank(newest.name, newest.files) if before else None
