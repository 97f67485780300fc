"""Which snapshots count, and which of them stand for a day, a week, a month or a year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TypeAlias, assert_never

from runner.model.facts import Snapshot
from runner.model.names import snapshot_time
from runner.model.site import Retention, Thin
from runner.model.text import count

_PERIODS = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year"}


def is_clean(snapshot: Snapshot) -> bool:
    """Whether it counts towards `min`: its record has no exceptions, and its name is a time."""
    return snapshot.recorded and snapshot.exceptions == 0 and snapshot_time(snapshot.name) is not None


Day: TypeAlias = tuple[str, date | None]


def named_day(snapshot: Snapshot) -> Day:
    """The job and the day (UTC) of a snapshot, by its name: a store whose clock is wrong gives up nothing for it."""
    return _day(snapshot, snapshot_time(snapshot.name))


def sealed_day(snapshot: Snapshot) -> Day:
    """The job and the day (UTC) of a snapshot, by the store's clock: whoever asks for one chooses its name.

    By the name only where no record says when it was sealed. The agent counts so, and keeps its floor by it.
    """
    return _day(snapshot, snapshot.sealed or snapshot_time(snapshot.name))


def _day(snapshot: Snapshot, moment: datetime | None) -> Day:
    return snapshot.job, moment.astimezone(UTC).date() if moment else None


def extras(snapshots: Sequence[Snapshot], per_day: int) -> frozenset[str]:
    """The names beyond `per_day` of one job and day, which count for nothing; none where that is 0.

    Never a day's first or last, nor any of its first and its last without exceptions, as far as these count:
    so a day that somebody fills keeps what it had before, and its end.
    """
    if not per_day:
        return frozenset()
    days: dict[Day, list[Snapshot]] = {}
    for snapshot in sorted(snapshots, key=lambda snapshot: snapshot.name):
        days.setdefault(named_day(snapshot), []).append(snapshot)
    return frozenset(name for day in days.values() for name in _beyond(day, per_day))


def _beyond(day: Sequence[Snapshot], per_day: int) -> set[str]:
    names = [snapshot.name for snapshot in day]
    clean = [snapshot.name for snapshot in day if is_clean(snapshot)]
    count = {names[0], names[-1], *clean[: per_day - 1], *clean[-1:]}
    count.update([name for name in names if name not in count][: max(per_day - len(count), 0)])
    return set(names) - count


def stand_ins(snapshots: Sequence[Snapshot], rules: Sequence[Thin]) -> Mapping[str, tuple[str, ...]]:
    """The names that thinning keeps, each with the periods it stands for (`day`, `month`).

    A period is stood for by its newest snapshot without exceptions, or by its newest where all have
    some. The last `count` periods *that have a snapshot* are kept, so a disk that lay in a drawer
    loses nothing by it. What any rule keeps, stays.

    Periods are UTC's, as the names are: in UTC no hour comes twice and none is missing, so the answer
    is the same everywhere and at any time, and does not change when snapshots expire.
    """
    kept: dict[str, tuple[str, ...]] = {}
    for rule in rules:
        for name in _of(snapshots, rule):
            kept[name] = (*kept.get(name, ()), _PERIODS[rule.period])
    return kept


def _of(snapshots: Sequence[Snapshot], rule: Thin) -> list[str]:
    newest: dict[tuple[int, ...], Snapshot] = {}
    for snapshot in sorted(snapshots, key=lambda snapshot: snapshot.name):
        moment = snapshot_time(snapshot.name)
        if moment is None:
            continue
        period = _period(moment.astimezone(UTC), rule)
        before = newest.get(period)
        if before is None or is_clean(snapshot) or not is_clean(before):
            newest[period] = snapshot
    latest = sorted(newest, reverse=True)[: rule.count]
    return [newest[period].name for period in latest]


def _period(moment: datetime, rule: Thin) -> tuple[int, ...]:
    match rule.period:
        case "daily":
            return (moment.year, moment.month, moment.day)
        case "weekly":
            # ISO 8601: the days around New Year belong to one week, and to the year that has most of it.
            return tuple(moment.isocalendar()[:2])
        case "monthly":
            return (moment.year, moment.month)
        case "yearly":
            return (moment.year,)
        case _:
            assert_never(rule.period)


class Protection(StrEnum):
    """Why a snapshot may never go, in words."""

    UNDATED = "its name is not a time"
    UNREAD = "its record cannot be read: a person takes it out of the count"
    READ = "being read"
    PINNED = "pinned"
    PROVEN = "the last that was proven to come back: no newer one is"
    CLEAN = "the newest without exceptions"
    NEWEST = "the newest: the next one is linked against it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Protected:
    """That a snapshot may never go, why, and until when and for whom, in words."""

    by: Protection
    more: str = ""

    @property
    def text(self) -> str:
        """Why, in full."""
        return f"{self.by.value}{self.more}"


class DailyCount:
    """How many snapshots count, where no more than `per_day` of one job and `day` do (0: all)."""

    def __init__(self, snapshots: Sequence[Snapshot], per_day: int, day: Callable[[Snapshot], Day]) -> None:
        self._day = day
        self._days = Counter(map(day, snapshots))
        self._most = per_day or len(snapshots) + 1
        self.count = sum(min(many, self._most) for many in self._days.values())

    def without(self, snapshot: Snapshot) -> int:
        """How many would count without this one of them."""
        return self.count - (self._days[self._day(snapshot)] <= self._most)

    def including(self, snapshot: Snapshot) -> int:
        """How many would count with this one as well."""
        return self.count + (self._days[self._day(snapshot)] < self._most)

    def drop(self, snapshot: Snapshot) -> None:
        """Take this one of them out."""
        self.count = self.without(snapshot)
        self._days[self._day(snapshot)] -= 1


def counting(snapshots: Sequence[Snapshot], policy: Retention) -> DailyCount:
    """How many of these count towards `min`."""
    return DailyCount(tuple(filter(is_clean, snapshots)), policy.per_day, sealed_day)


class Selection:
    """Who goes so far: `gone`, as indices in `ordered`, which is oldest first.

    Those in `protected` may not go whatever happens (it says why), and `policy.min` that count must be
    left. `held` are those that would have gone and had to stay for that. `extra` are those that count for
    nothing, and `first_to_go` is every index with these before the others, each oldest first.
    """

    def __init__(self, ordered: Sequence[Snapshot], protected: Mapping[int, Protected], policy: Retention) -> None:
        self.ordered = ordered
        self.protected = protected
        self.gone: set[int] = set()
        self.held: set[int] = set()
        names = extras(ordered, policy.per_day)
        self.extra = frozenset(index for index, snapshot in enumerate(ordered) if snapshot.name in names)
        self.first_to_go = sorted(range(len(ordered)), key=lambda index: (index not in self.extra, index))
        self._policy = policy
        self._all = DailyCount(ordered, policy.per_day, named_day)
        self._clean = counting(ordered, policy)

    @property
    def left(self) -> int:
        """How many stay so far."""
        return len(self.ordered) - len(self.gone)

    @property
    def counting(self) -> int:
        """How many of those that stay count towards `max`."""
        return self._all.count

    def counting_with(self, coming: Snapshot) -> int:
        """How many of those that stay count towards `max` once `coming` is there."""
        return self._all.including(coming)

    def extra_with(self, coming: Snapshot) -> list[int]:
        """Those of them that count for nothing once `coming` is there, oldest first."""
        stay = [snapshot for index, snapshot in enumerate(self.ordered) if index not in self.gone]
        names = extras((*stay, coming), self._policy.per_day)
        return [index for index, snapshot in enumerate(self.ordered) if snapshot.name in names]

    def take(self, index: int) -> bool:
        """Let this snapshot go if it may; returns whether it went now."""
        if index in self.gone or index in self.protected:
            return False
        snapshot = self.ordered[index]
        clean = is_clean(snapshot)
        if (self._clean.without(snapshot) if clean else self._clean.count) < self._policy.min:
            self.held.add(index)
            return False
        if clean:
            self._clean.drop(snapshot)
        self._all.drop(snapshot)
        self.gone.add(index)
        return True

    def obstacles(self) -> str:
        """What keeps those that stay, in words."""
        extra = len(self.extra - self.gone)
        many = Counter(protection.by for protection in self.protected.values())
        pinned, read, proven, unread = (
            many[by] for by in (Protection.PINNED, Protection.READ, Protection.PROVEN, Protection.UNREAD)
        )
        obstacles = [
            f"{count(len(self.held), 'snapshot')} needed for min = {self._policy.min}" if self.held else "",
            f"{extra} beyond per_day = {self._policy.per_day}, which count for nothing" if extra else "",
            f"{pinned} pinned" if pinned else "",
            f"{read} being read" if read else "",
            f"{proven} proven to come back" if proven else "",
            f"{unread} with a record that cannot be read" if unread else "",
            "the newest",
        ]
        return ", ".join(text for text in obstacles if text)
