"""Which snapshot a person means by `--at`: a name, a date, a time, "yesterday", "3 days ago"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from runner.model.facts import Snapshot
from runner.model.names import SNAPSHOT, snapshot_time

WHEN_HELP = "latest, previous, a snapshot's name, 2026-11-22, '2026-11-22 18:00', yesterday, or '3 days ago'"
_AGO = re.compile(r"([0-9]{1,6})\s*(hour|day|week|month|year)s?\s+ago")
_DAY_BY_NAME = re.compile(r"(today|tomorrow)(?:,|,? at)? +([0-9]{1,2}:[0-9]{2})")
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}


def pick(sealed: Sequence[Snapshot], when: str, *, zone: str, now: datetime) -> Snapshot | str:
    """The newest snapshot at or before `when`; a sentence for a person where there is none.

    `sealed` is oldest first. A date alone means the end of that day in the site's zone.
    """
    if not sealed:
        return "there is no snapshot yet"
    name = when.strip()
    if means_newest(when):
        return sealed[-1]
    if name == "previous":
        return sealed[-2] if len(sealed) > 1 else f"there is none before {sealed[-1].name}, the only one"
    if SNAPSHOT.fullmatch(name):
        exact = [snapshot for snapshot in sealed if snapshot.name == name]
        return exact[0] if exact else f"there is no snapshot {name}; the newest is {sealed[-1].name}"
    moment = moment_of(name, zone=zone, now=now)
    if moment is None:
        return f"'{when}' is not a time: say {WHEN_HELP}"
    before = [snapshot for snapshot in sealed if (at := snapshot_time(snapshot.name)) and at <= moment]
    return before[-1] if before else f"the oldest snapshot is {sealed[0].name}, later than '{when}'"


def means_newest(when: str) -> bool:
    """Whether it is the newest snapshot, whichever that is."""
    return when.strip() in ("", "latest")


def moment_of(when: str, *, zone: str, now: datetime) -> datetime | None:
    """The UTC moment that `when` means, or None where it is no time at all."""
    try:
        return _moment(when, ZoneInfo(zone), now).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def time_of(when: str, *, zone: str, now: datetime) -> datetime | str:
    """The UTC moment that `when`, a day with a time of that day, means; a sentence where it means none, or two."""
    how = "say the day and the time, as '2026-11-28 17:00' or 'tomorrow 17:00', in the site's time zone"
    with suppress(ValueError):
        date.fromisoformat(when)
        return how
    if by_name := _DAY_BY_NAME.fullmatch(when.strip().lower()):
        day = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=by_name[1] == "tomorrow")
        when = f"{day} {by_name[2]:0>5}"
    try:
        moment = datetime.fromisoformat(when)
        here = moment.tzinfo or ZoneInfo(zone)
        first, second = (moment.replace(tzinfo=here, fold=fold).astimezone(UTC) for fold in (0, 1))
    except (ValueError, OverflowError):
        return how
    read = [utc.astimezone(here).isoformat(" ", "minutes") for utc in (first, second)]
    if second < first:
        return f"the clock is put forward then, so there is no such time: say '{read[0]}', or another"
    if first < second:
        return f"the clock is put back then, so that time comes twice: say '{read[0]}' or '{read[1]}'"
    return first


def _moment(when: str, here: tzinfo, now: datetime) -> datetime:
    if when == "now":
        return now
    if when in ("today", "yesterday"):
        return _end_of(now.astimezone(here).date() - timedelta(days=when == "yesterday"), here)
    if ago := _AGO.fullmatch(when):
        count, unit = int(ago[1]), ago[2]
        return now - (timedelta(hours=count) if unit == "hour" else timedelta(days=count * _DAYS[unit]))
    try:
        return _end_of(date.fromisoformat(when), here)
    except ValueError:
        moment = datetime.fromisoformat(when)
    return moment if moment.tzinfo else moment.replace(tzinfo=here)


def _end_of(day: date, here: tzinfo) -> datetime:
    # Where clocks go back at midnight, the last moment of the day is the second one of that name.
    return datetime.combine(day, time.max.replace(fold=1), here)
