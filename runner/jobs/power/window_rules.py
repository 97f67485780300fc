"""When a machine may be interrupted: times of day in the site's zone, on some days of the week or on all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = f"(?:{'|'.join(_DAYS)})"
_TEXT = re.compile(rf"(?:({_DAY}(?:[-,]{_DAY})*) )?([0-9]{{2}}):([0-9]{{2}})-([0-9]{{2}}):([0-9]{{2}})")
_WHOLE = 24 * 60
# Windows that touch each other may follow one another for ever; nobody needs to know more than a week.
_WEEK = timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """From one minute of the day to another, on the days (0 is Monday) on which it begins.

    One that ends no later than it begins ends the day after; 1440 is the midnight at the day's end.
    """

    days: frozenset[int]
    begins: int
    ends: int


def parse(text: str) -> Window:
    """Read "17:00-08:00", "Sat 06:00-10:00" or "Mon-Thu,Sun 18:00-24:00"; ValueError says what is wrong."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError("is not a window: write it as '17:00-08:00' or 'Sat 06:00-10:00'")
    begins, ends = (int(found[at]) * 60 + int(found[at + 1]) for at in (2, 4))
    minutes = (int(found[3]), int(found[5]))
    if max(minutes) > 59 or begins >= _WHOLE or ends > _WHOLE:
        raise ValueError("is not a window: a day has 24 hours of 60 minutes")
    return Window(days=_days(found[1] or "Mon-Sun"), begins=begins, ends=ends)


def closes(windows: Sequence[str], moment: datetime, zone: str) -> datetime | None:
    """Until when (UTC) it is open at `moment` (aware), None where it is closed.

    Windows that touch count as one, and a week is as long as it gets.
    """
    here = moment.astimezone(UTC)
    spans = sorted(_spans(windows, here, zone))
    end = here
    for begins, ends in spans:
        if begins <= end < ends:
            end = ends
    return min(end, here + _WEEK) if end > here else None


def opens(windows: Sequence[str], moment: datetime, zone: str) -> datetime:
    """When (UTC) it opens next after `moment` (aware). ValueError where there is no window at all."""
    here = moment.astimezone(UTC)
    return min(begins for begins, _ in _spans(windows, here, zone) if begins > here)


def _spans(windows: Sequence[str], here: datetime, zone: str) -> Iterator[tuple[datetime, datetime]]:
    """Every time, UTC, at which a window is open, from the day before until a week later."""
    place = ZoneInfo(zone)
    first = here.astimezone(place).date() - timedelta(days=1)
    for window in map(parse, windows):
        for day in (first + timedelta(days=number) for number in range(10)):
            if day.weekday() not in window.days:
                continue
            over = window.ends <= window.begins or window.ends == _WHOLE
            ends = datetime.combine(day + timedelta(days=over), _time(window.ends), place)
            begins = datetime.combine(day, _time(window.begins), place)
            # By the clock on the wall, which may stand still or jump on two nights a year: compared in UTC.
            yield begins.astimezone(UTC), ends.astimezone(UTC)


def _time(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        names = [_DAYS.index(name) for name in part.split("-")]
        if len(names) > 2:
            raise ValueError("is not a window: say days as 'Mon-Fri' or 'Mon,Wed'")
        length = (names[-1] - names[0]) % 7
        found |= {(names[0] + number) % 7 for number in range(length + 1)}
    return frozenset(found)
