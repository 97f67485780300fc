"""Jobs that wait for each other, write at once, or never become due."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import combinations, takewhile

from runner.config.complaints import Problem
from runner.model.options import SnapshotOptions
from runner.model.site import Job, Site

_FIELDS = 5
_EXAMPLE = "minute, hour, day, month, weekday, such as '15 3 * * *' for 3:15 every day"
_ANY_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 (only whether there is a next time, not when)


def check(site: Site) -> Iterator[Problem]:
    """Find circles of `after`, jobs that may write one store at once, and dead schedules."""
    after = {job.name: job.after for job in site.jobs}
    yield from _circles(after)
    yield from _writers(site, after)
    for job in site.jobs:
        if job.schedule and (wrong := never_fires(job.schedule)):
            yield Problem(path=("jobs", job.name, "schedule"), text=f"{job.schedule!r} {wrong}")


_NICKNAMES = {
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "midnight": "0 0 * * *",
    "nightly": "0 0 * * *",
    "weekly": "0 0 * * 0",
    "monthly": "0 0 1 * *",
    "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *",
    "every minute": "* * * * *",
    "every hour": "0 * * * *",
    "every day": "0 0 * * *",
    "every night": "0 0 * * *",
    "every week": "0 0 * * 0",
    "every month": "0 0 1 * *",
    "every year": "0 0 1 1 *",
}
# What other crons have more, such as L for a last day, is not in crontab(5).
_NAMES = re.compile("jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat", re.IGNORECASE)
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3])(?::([0-5][0-9]))?(?::00)?(am|pm)?")
_EVERY = re.compile(r"(?:every )?([0-9]{1,2}) (minute|hour)s?")
_WEEK = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_WEEKLY = ("weekly", "week")
_BETWEEN = frozenset(("at", "on", "every", "each", "and", "the", "day", "days", "daily", "night", "nightly", "o'clock"))
_NIGHT = frozenset(("night", "nightly"))


def crontab(text: str) -> str:
    """Give five fields back; ValueError for other ways to say when, with the five fields that say it."""
    word = " ".join(text.lower().split()).removeprefix("@")
    if fields := _NICKNAMES.get(word) or _often(word) or _in_words(word):
        raise ValueError(f"is not the five fields of a crontab line: write {fields!r}")
    if word == "reboot":
        raise ValueError("is no time: what was missed is made up by `runner run` in an @reboot line of cron")
    unknown = [name for name in re.findall(r"[A-Za-z]+", text) if not _NAMES.fullmatch(name)]
    if unknown and len(text.split()) == _FIELDS:
        if len(re.findall(r"(?:^|\s)[0-9*]", text)) < _FIELDS // 2:
            raise ValueError(f"is not the five fields of a crontab line: {_EXAMPLE}")
        raise ValueError(f"has {unknown[0]!r}: letters are only for English names of months and days, such as Sun")
    return text


def _often(text: str) -> str:
    """The five fields of "every 2 hours" and the like; "" where a day or an hour has no whole number of them."""
    match = _EVERY.fullmatch(text)
    count, whole = (int(match[1]), 60 if match[2] == "minute" else 24) if match else (0, 0)
    if not match or not 0 < count < whole or whole % count:
        return ""
    step = "*" if count == 1 else f"*/{count}"
    return f"{step} * * * *" if match[2] == "minute" else f"0 {step} * * *"


def _in_words(text: str) -> str:
    """The five fields of one time of day, on all days or some of the week; "" where it may be another one."""
    clocks: list[str] = []
    days: list[str] = []
    before = ""
    words = re.sub(r" (am|pm)\b", r"\1", text).replace(",", " ").split()
    for word in words:
        clock, day = _clock(word, bare=before == "at"), _weekday(word)
        clocks += [clock] if clock else []
        days += [day] if day else []
        if not clock and not day and word not in (*_BETWEEN, *_WEEKLY):
            return ""
        before = word
    if len(clocks) != 1 or not days and {*_WEEKLY} & {*words} or _NIGHT & {*words} and _is_doubtful(clocks[0], words):
        return ""
    return f"{clocks[0]} * * {','.join(days) or '*'}"


def _is_doubtful(clock: str, words: list[str]) -> bool:
    """Whether it is not plain which hour of a night a time of day is: 11 may be 23, and Sunday night at 1 is Monday."""
    hour = int(clock.split()[1])
    by_half = any(word.endswith(("am", "pm")) and _clock(word, bare=False) for word in words)
    return hour < 12 and any(map(_weekday, words)) or 5 <= hour <= 12 and not by_half


def _clock(word: str, *, bare: bool) -> str:
    """Minute and hour of a time of day; "" for another word, and for a number alone unless `bare`."""
    match = _CLOCK.fullmatch(word)
    if not match or not (match[2] or match[3] or bare):
        return ""
    hour = int(match[1])
    if match[3] and not 1 <= hour <= 12:
        return ""
    hour = hour % 12 + 12 * (match[3] == "pm") if match[3] else hour
    return f"{int(match[2] or 0)} {hour}"


def _weekday(word: str) -> str:
    """The number of a day of the week, or of several; "" for another word."""
    plain = word.removesuffix("s")
    if plain in ("weekday", "weekend"):
        return "1-5" if plain == "weekday" else "0,6"
    return next((str(number) for number, day in enumerate(_WEEK) if len(plain) > 2 and day.startswith(plain)), "")


def never_fires(schedule: str) -> str:
    """Say why the crontab line never has a next time, or "" where it has."""
    wrong = _unreadable(schedule)
    if not wrong:
        return ""
    minute, hour, day, month, weekday = (schedule.split() + [""] * 5)[:5]
    in_any_month = " ".join((minute, hour, day, "*", weekday))
    on_the_first = " ".join((minute, hour, "1", month, weekday))
    if wrong == "never" or not _unreadable(in_any_month) and not _unreadable(on_the_first):
        return "never fires: no month that it names has such a day"
    return f"is not a crontab schedule: {wrong}"


def times_a_day(schedule: str) -> int:
    """How often the crontab line fires on a day on which it does; 0 where it never does."""
    from cronsim import CronSim

    if not schedule or _unreadable(schedule):
        return 0
    # From the minute before a day, so that midnight is in it.
    times = CronSim(schedule, _ANY_DAY - timedelta(minutes=1))
    first = next(times)
    return 1 + sum(1 for _ in takewhile(lambda moment: moment.date() == first.date(), times))


def _unreadable(schedule: str) -> str:
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(schedule, _ANY_DAY))
    except StopIteration:
        return "never"
    except (CronSimError, AssertionError, ValueError) as error:
        return str(error)[:80].lower() or "it cannot be read"
    return ""


def _circles(after: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    """Report each circle once, at its first job in the file."""
    reported: set[frozenset[str]] = set()
    for name in after:
        circle = way(name, name, after)
        if circle and frozenset(circle) not in reported:
            reported.add(frozenset(circle))
            yield Problem(path=("jobs", name, "after"), text=f"makes a circle: {' -> '.join((name, *circle))}")


def way(start: str, goal: str, after: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Find a shortest way from `start` along `after` to `goal`, without `start`; () if there is none."""
    ways: list[tuple[str, ...]] = [(name,) for name in after.get(start, ())]
    seen: set[str] = set()
    for known in ways:
        if known[-1] == goal:
            return known
        if known[-1] not in seen:
            seen.add(known[-1])
            ways.extend((*known, name) for name in after.get(known[-1], ()))
    return ()


def _writers(site: Site, after: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    writers = [(job, job.options.store) for job in site.jobs if isinstance(job.options, SnapshotOptions)]
    for (first, store), (second, other) in combinations(writers, 2):
        if store == other:
            yield from _two_writers(first, second, store, after)


def _two_writers(first: Job, second: Job, store: str, after: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    path = ("jobs", second.name, "store")
    if first.host != second.host:
        yield Problem(
            path=path,
            text=f"job {first.name!r} keeps host {first.host!r} in store {store!r}: a store holds one host,"
            " or retention would count both as one",
        )
    elif not way(first.name, second.name, after) and not way(second.name, first.name, after):
        yield Problem(
            path=path,
            text=f"jobs {first.name!r} and {second.name!r} write store {store!r} and may do so at once:"
            " put one under the other's `after`",
        )
