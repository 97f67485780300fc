"""Which snapshot a person means by a name, a date, a time, or "3 days ago"."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.jobs.snapshots.when import WHEN_HELP, moment_of, pick, time_of
from runner.model.facts import Snapshot
from runner.model.names import snapshot_name, snapshot_time
from tests.unit import parts

ZONE = "America/New_York"
# Taken at 03:15 in New York; the last one is from before sunrise today.
SEALED = parts.snapshots("2026-11-20T081500Z", "2026-11-21T081500Z", "2026-11-22T081500Z", "2026-11-23T081500Z")
NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


def picked(when: str, sealed: tuple[Snapshot, ...] = SEALED, zone: str = ZONE) -> str:
    pick_of = pick(sealed, when, zone=zone, now=NOW)
    return pick_of if isinstance(pick_of, str) else pick_of.name


@pytest.mark.parametrize(
    ("when", "name"),
    [
        ("latest", "2026-11-23T081500Z"),
        ("", "2026-11-23T081500Z"),
        (" latest ", "2026-11-23T081500Z"),
        ("now", "2026-11-23T081500Z"),
        ("today", "2026-11-23T081500Z"),
        ("yesterday", "2026-11-22T081500Z"),
        ("2026-11-21T081500Z", "2026-11-21T081500Z"),
        ("2026-11-22", "2026-11-22T081500Z"),
        ("20261122", "2026-11-22T081500Z"),
        ("2026-W47-7", "2026-11-22T081500Z"),
        ("2026-11-22 03:14", "2026-11-21T081500Z"),
        ("2026-11-22 03:15", "2026-11-22T081500Z"),
        ("2026-11-22T08:15:00+00:00", "2026-11-22T081500Z"),
        ("2026-11-22 08:14Z", "2026-11-21T081500Z"),
        ("2 days ago", "2026-11-21T081500Z"),
        ("1 day ago", "2026-11-22T081500Z"),
        ("1day ago", "2026-11-22T081500Z"),
        ("30 hours ago", "2026-11-22T081500Z"),
        ("0 days ago", "2026-11-23T081500Z"),
        ("9999-12-31", "2026-11-23T081500Z"),
    ],
)
def test_words_and_times_name_the_newest_snapshot_at_or_before_them(when: str, name: str) -> None:
    assert picked(when, zone="UTC" if when.startswith("9999") else ZONE) == name


@pytest.mark.parametrize(
    ("when", "answer"),
    [
        ("2026-11-01", "the oldest snapshot is 2026-11-20T081500Z, later than '2026-11-01'"),
        ("1 year ago", "the oldest snapshot is 2026-11-20T081500Z, later than '1 year ago'"),
        ("2026-11-21T081501Z", "there is no snapshot 2026-11-21T081501Z; the newest is 2026-11-23T081500Z"),
        ("last tuesday", f"'last tuesday' is not a time: say {WHEN_HELP}"),
        ("-1 days ago", f"'-1 days ago' is not a time: say {WHEN_HELP}"),
    ],
)
def test_what_names_no_snapshot_is_answered_in_words(when: str, answer: str) -> None:
    assert picked(when) == answer


@pytest.mark.parametrize(
    ("when", "days"), [("1 day ago", 1), ("2 weeks ago", 14), ("1 month ago", 30), ("1 year ago", 365), ("now", 0)]
)
def test_so_long_ago_is_as_many_days(when: str, days: int) -> None:
    assert moment_of(when, zone=ZONE, now=NOW) == NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("when", "moment"),
    [
        ("2026-11-28 17:00", "2026-11-28T22:00:00+00:00"),
        ("2026-07-01T17:00", "2026-07-01T21:00:00+00:00"),
        ("2026-11-30T03:15Z", "2026-11-30T03:15:00+00:00"),
        ("2026-11-01 01:30-04:00", "2026-11-01T05:30:00+00:00"),
        ("2026-11-01 01:30-05:00", "2026-11-01T06:30:00+00:00"),
    ],
)
def test_a_day_with_a_time_is_of_the_sites_zone_unless_it_says_another(when: str, moment: str) -> None:
    read = time_of(when, zone=ZONE, now=NOW)
    assert isinstance(read, datetime)
    assert read.isoformat() == moment


DAY_AND_TIME = "say the day and the time, as '2026-11-28 17:00' or 'tomorrow 17:00', in the site's time zone"
TWICE = "the clock is put back then, so that time comes twice: say '2026-11-01 01:30-04:00' or '2026-11-01 01:30-05:00'"
NEVER = "the clock is put forward then, so there is no such time: say '2026-03-08 03:30-04:00', or another"


@pytest.mark.parametrize(
    ("when", "answer"),
    [
        ("2026-11-28", DAY_AND_TIME),
        ("17:00", DAY_AND_TIME),
        ("tomorrow", DAY_AND_TIME),
        ("2026-02-30 17:00", DAY_AND_TIME),
        ("9999-12-31 23:59", DAY_AND_TIME),
        ("0001-01-01 00:00+14:00", DAY_AND_TIME),
        ("2026-11-01 01:30", TWICE),
        ("2026-03-08 02:30", NEVER),
    ],
)
def test_what_is_no_time_or_two_is_answered_with_what_to_say(when: str, answer: str) -> None:
    assert time_of(when, zone=ZONE, now=NOW) == answer


@pytest.mark.parametrize(
    "when",
    ["99999 years ago", "999999 days ago", "9" * 5000 + " days ago", "0001-01-01 00:00", "9999-12-31 23:59",
     "2026-02-30", "2026-11-22 25:00", "٣ days ago", "\x00", "2026-13-01T000000Z"],
)  # fmt: skip
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_no_text_makes_it_fail(when: str, zone: str) -> None:
    moment = moment_of(when, zone=zone, now=NOW)
    assert moment is None or moment.tzinfo is UTC
    assert isinstance(picked(when, zone=zone), str)


def test_an_empty_store_says_so() -> None:
    assert picked("latest", sealed=()) == "there is no snapshot yet"


@pytest.mark.parametrize("zone", ["America/Santiago", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "UTC"])
def test_a_date_means_the_whole_day_also_where_clocks_go_back_at_midnight(zone: str) -> None:
    for day in ("2026-10-31", "2026-11-01", "2026-04-04", "2026-03-08"):
        end = moment_of(day, zone=zone, now=NOW)
        assert end is not None
        after = (end + timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
        assert after.date() > datetime.fromisoformat(day).date()
        assert end.astimezone(ZoneInfo(zone)).date() == datetime.fromisoformat(day).date()


@given(
    seconds=st.sets(st.integers(0, 10**7), min_size=1, max_size=8),
    asked=st.datetimes(datetime(2026, 1, 1), datetime(2026, 6, 1)),
    zone=st.sampled_from(("UTC", "America/New_York", "Asia/Tokyo")),
    form=st.sampled_from(("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S")),
)
def test_never_is_a_snapshot_picked_that_is_later_than_asked(
    seconds: set[int], asked: datetime, zone: str, form: str
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    sealed = parts.snapshots(*(snapshot_name(start + timedelta(seconds=each)) for each in sorted(seconds)))
    pick_of = pick(sealed, asked.strftime(form), zone=zone, now=NOW)
    limit = asked.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    if form == "%Y-%m-%d":
        limit = datetime(asked.year, asked.month, asked.day, tzinfo=ZoneInfo(zone)) + timedelta(days=1)
    earlier = [one for one in sealed if (at := snapshot_time(one.name)) and at <= limit]
    if isinstance(pick_of, Snapshot):
        at = snapshot_time(pick_of.name)
        assert at is not None
        assert at <= limit
    assert form.endswith("M") or isinstance(pick_of, Snapshot) == bool(earlier)
