"""Whether a host may be interrupted now: the hours that jobs.toml allows, and what its users were told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from runner.model.facts import Announced, Facts
from runner.model.options import HaltOptions, RebootOptions
from runner.model.site import Job, Site
from runner.model.text import length

# People plan their day by an announcement: not before its time, and not in the evening what was due at noon.
_EARLY = timedelta(minutes=1)
_LATE = timedelta(hours=2)
# Whoever reads a first possible time has this long to type it.
_TYPED = timedelta(minutes=5)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = f"(?:{'|'.join(_DAYS)})"
_TEXT = re.compile(rf"(?:({_DAY}(?:[-,]{_DAY})*) )?([0-9]{{2}}):([0-9]{{2}})-([0-9]{{2}}):([0-9]{{2}})")
_WHOLE = 24 * 60
# Windows that touch may follow one another for ever; nobody needs to know more than a week of it.
_WEEK = timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class Objection:
    """A reason why a host may not be taken down now, or a doubt about it, and what to do."""

    text: str
    do: str = ""


Options = RebootOptions | HaltOptions


def against(site: Site, job: Job, options: Options, facts: Facts, now: datetime) -> tuple[Objection, ...]:
    """Why the job may not interrupt its host now; nothing where it may."""
    return (*_closed(site, job, options, now), *_unannounced(site, job, options, facts, now))


def closes(site: Site, job: Job, options: Options, facts: Facts) -> datetime | None:
    """Until when it may, None where there is no end: a plan may be applied long after it was made."""
    ends = [open_until(options.window, facts.at, site.timezone)] if options.window else []
    announced = facts.announced.get(job.name)
    if options.announce is not None and announced is not None:
        ends.append(announced.at + _LATE)
    return min((end for end in ends if end is not None), default=None)


def overruns(site: Site, job: Job, options: Options, facts: Facts, most: timedelta | None) -> tuple[Objection, ...]:
    """Whether the host may still be away, `most` (None: nobody knows) from now, when its window has closed."""
    ends = open_until(options.window, facts.at, site.timezone) if options.window else None
    if ends is None or (most is not None and facts.at + most <= ends):
        return ()
    away = f"may be away until {_shown(site, facts.at + most)}" if most is not None else "may be away for hours"
    text = f"{job.host} {away}, and its window closes at {_shown(site, ends)}"
    do = "begin earlier; a disk check can be made before the reboot (when_due in [hooks.fsck])"
    return (Objection(text=text, do=do),)


def first_told(options: Options, zone: str, now: datetime) -> datetime:
    """The first time, UTC and in whole five minutes, that may be announced from now on: told long enough ahead, and
    in the window."""
    soonest = (now + (options.announce or timedelta(0)) + _TYPED).astimezone(UTC)
    first = soonest + (datetime.min.replace(tzinfo=UTC) - soonest) % _TYPED
    if not options.window or open_until(options.window, first, zone):
        return first
    return opens(options.window, first, zone)


def _closed(site: Site, job: Job, options: Options, now: datetime) -> tuple[Objection, ...]:
    if not options.window or open_until(options.window, now, site.timezone):
        return ()
    text = f"{job.host} may be interrupted {' and '.join(options.window)} only"
    return (Objection(text=text, do=f"try again from {_shown(site, opens(options.window, now, site.timezone))} on"),)


def _unannounced(site: Site, job: Job, options: Options, facts: Facts, now: datetime) -> tuple[Objection, ...]:
    announced = facts.announced.get(job.name)
    if options.announce is None:
        return _early(site, job, announced, now) if announced else ()
    do = f"announce it at least {length(options.announce)} ahead: runner announce {job.name} --at TIME"
    if announced is None:
        return (Objection(text=f"the users of {job.host} have not been told", do=do),)
    at = _shown(site, announced.at)
    if announced.at - announced.notified < options.announce:
        ahead = length(max(announced.at - announced.notified, timedelta(0)))
        return (Objection(text=f"the users were told only {ahead} ahead that it comes at {at}", do=do),)
    if now > announced.at + _LATE:
        late = length(now - announced.at)
        return (Objection(text=f"the users were told that it comes at {at}, which is {late} ago", do=do),)
    return _early(site, job, announced, now)


def _early(site: Site, job: Job, announced: Announced, now: datetime) -> tuple[Objection, ...]:
    if now >= announced.at - _EARLY:
        return ()
    at = _shown(site, announced.at)
    do = f"try again at {at}, or cancel it first: runner announce {job.name} --cancel"
    return (Objection(text=f"the users were told that it comes at {at}, not before", do=do),)


def _shown(site: Site, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(site.timezone)):%a %Y-%m-%d %H:%M %Z}"


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
    parts = _TEXT.fullmatch(text)
    if parts is None:
        raise ValueError("is not a window: write it as '17:00-08:00' or 'Sat 06:00-10:00'")
    begins, ends = (int(parts[at]) * 60 + int(parts[at + 1]) for at in (2, 4))
    minutes = (int(parts[3]), int(parts[5]))
    if max(minutes) > 59 or begins >= _WHOLE or ends > _WHOLE:
        raise ValueError("is not a window: a day has 24 hours of 60 minutes")
    return Window(days=_days(parts[1] or "Mon-Sun"), begins=begins, ends=ends)


def open_until(windows: Sequence[str], moment: datetime, zone: str) -> datetime | None:
    """Until when (UTC) it is open at `moment` (aware), None where it is closed.

    Windows that touch count as one, and a week is as long as it gets.
    """
    here = moment.astimezone(UTC)
    spans = sorted(_spans(windows, here, zone))
    end = here
    for begins, ends in spans:
        if begins <= end:
            end = max(end, ends)
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
    days: set[int] = set()
    for part in text.split(","):
        names = [_DAYS.index(name) for name in part.split("-")]
        if len(names) > 2:
            raise ValueError("is not a window: say days as 'Mon-Fri' or 'Mon,Wed'")
        length = (names[-1] - names[0]) % 7
        days |= {(names[0] + number) % 7 for number in range(length + 1)}
    return frozenset(days)
