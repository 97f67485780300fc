"""Which snapshots stand for a day, a week, a month or a year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import assert_never

from runner.model.facts import Snapshot
from runner.model.names import snapshot_time
from runner.model.site import Thin
from runner.model.text import count

_PERIODS = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year"}


def is_clean(snapshot: Snapshot) -> bool:
    """Whether it counts towards `min`: its record has no exceptions, and its name is a time."""
    return snapshot.recorded and snapshot.exceptions == 0 and snapshot_time(snapshot.name) is not None


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


class Selection:
    """Who goes so far: `gone`, as indices in `ordered`, which is oldest first.

    Those in `protected` may not go whatever happens (it says why), and `least` that count must be
    left. `held` are those that would have gone and had to stay for `least`.
    """

    def __init__(self, ordered: Sequence[Snapshot], protected: Mapping[int, Protected], least: int) -> None:
        self.ordered = ordered
        self.protected = protected
        self.gone: set[int] = set()
        self.held: set[int] = set()
        self._least = least
        self._clean = sum(map(is_clean, ordered))

    @property
    def left(self) -> int:
        """How many stay so far."""
        return len(self.ordered) - len(self.gone)

    def take(self, index: int) -> bool:
        """Let this snapshot go if it may; returns whether it went now."""
        if index in self.gone or index in self.protected:
            return False
        clean = self._clean - is_clean(self.ordered[index])
        if clean < self._least:
            self.held.add(index)
            return False
        self._clean = clean
        self.gone.add(index)
        return True

    def obstacles(self) -> str:
        """What keeps those that stay, in words."""
        many = Counter(protection.by for protection in self.protected.values())
        pinned, read, proven = (many[by] for by in (Protection.PINNED, Protection.READ, Protection.PROVEN))
        obstacles = [
            f"{count(len(self.held), 'snapshot')} needed for min = {self._least}" if self.held else "",
            f"{pinned} pinned" if pinned else "",
            f"{read} being read" if read else "",
            f"{proven} proven to come back" if proven else "",
            "the newest",
        ]
        return ", ".join(text for text in obstacles if text)
