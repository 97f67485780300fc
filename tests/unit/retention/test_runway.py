"""How long a disk will do."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.jobs.retention.room import brought
from runner.jobs.retention.runway import LONGEST, Growth, Runway, growth, runway
from runner.model.facts import Snapshot, Space
from runner.model.site import Amount, Retention

START = datetime(2026, 10, 1, 3, tzinfo=UTC)
DAY = timedelta(days=1)
SPACE = Space(size=100_000, free=46_000, inodes=10_000, inodes_free=2_200)
FLOORS = Retention(min=1, max=9, free_space=Amount(percent=5), free_inodes=Amount(percent=5))


def daily(days: int, bytes: int | None, inodes: int | None, start: datetime = START) -> tuple[Growth, ...]:
    return tuple(Growth(at=start + day * DAY, bytes=bytes, inodes=inodes) for day in range(days))


def test_days_are_counted_down_to_the_floor() -> None:
    ahead = runway(daily(20, 1000, 100), SPACE, FLOORS)
    assert ahead == Runway(days_of_bytes=41.0, days_of_inodes=17.0)
    assert ahead.words() == "41 days of bytes, 17 of inodes at the last month's growth"


def test_without_floors_the_whole_disk_is_the_runway() -> None:
    assert runway(daily(20, 1000, 100), SPACE, None) == Runway(days_of_bytes=46.0, days_of_inodes=22.0)
    unbounded = Retention(min=1, max=9)
    assert runway(daily(20, 1000, 100), SPACE, unbounded) == Runway(days_of_bytes=46.0, days_of_inodes=22.0)


def test_the_first_snapshot_is_no_growth() -> None:
    first = Growth(at=START - DAY, bytes=90_000, inodes=9_000)
    assert runway((first, *daily(9, 1000, 100)), SPACE, FLOORS).days_of_bytes == 41.0


def test_only_the_last_month_counts() -> None:
    before = daily(60, 9000, 900, START - 60 * DAY)
    assert runway((*before, *daily(31, 1000, 100)), SPACE, FLOORS).days_of_bytes == 41.0


def test_a_month_is_thirty_days_before_the_newest() -> None:
    days = (*daily(2, 5000, 500, START - DAY), Growth(at=START + DAY, bytes=9000, inodes=900))
    month = (*days, *daily(29, 1000, 100, START + 2 * DAY))
    assert runway(month, SPACE, FLOORS).days_of_bytes == pytest.approx(41_000 / (38_000 / 30))


def test_growth_is_by_the_day_however_many_snapshots_there_are() -> None:
    hourly = [Growth(at=START + hour * DAY / 24, bytes=100, inodes=10) for hour in range(73)]
    ahead = runway(hourly, SPACE, FLOORS)
    assert ahead.days_of_bytes == pytest.approx(41_000 / 2400)
    assert ahead.days_of_inodes == pytest.approx(1_700 / 240)


def test_a_snapshot_of_unknown_growth_is_left_out_with_its_day() -> None:
    history = list(daily(5, 1000, 100))
    history[2] = Growth(at=history[2].at, bytes=None, inodes=None)
    assert runway(history, SPACE, FLOORS) == Runway(days_of_bytes=41.0, days_of_inodes=17.0)


@pytest.mark.parametrize("history", [(), daily(1, 10, 10), daily(9, None, None)])
def test_too_little_history_tells_nothing(history: tuple[Growth, ...]) -> None:
    ahead = runway(history, SPACE, FLOORS)
    assert ahead == Runway(days_of_bytes=None, days_of_inodes=None)
    assert ahead.words() == "how long the disk will last is not known yet"


def test_less_than_a_day_tells_nothing() -> None:
    history = [Growth(at=START + hour * DAY / 24, bytes=100, inodes=10) for hour in range(24)]
    assert runway(history, SPACE, FLOORS).days_of_bytes is None
    longer = [*history, Growth(at=START + DAY, bytes=100, inodes=10)]
    assert runway(longer, SPACE, FLOORS).days_of_bytes is not None


def test_unmeasured_room_is_unknown() -> None:
    assert runway(daily(9, 1, 1), None, FLOORS) == Runway(days_of_bytes=None, days_of_inodes=None)


def test_at_its_floor_a_disk_has_no_day_left_whatever_is_known_of_its_growth() -> None:
    full = replace(SPACE, free=5000, inodes_free=1)
    assert runway((), full, FLOORS) == Runway(days_of_bytes=0.0, days_of_inodes=0.0)
    assert runway((), full, FLOORS).words() == "0 days of bytes, 0 of inodes at the last month's growth"


def test_a_store_that_does_not_grow_lasts_as_long_as_can_be_said() -> None:
    ahead = runway(daily(9, 0, 1), replace(SPACE, inodes_free=10_000, inodes=10_000), None)
    assert ahead == Runway(days_of_bytes=LONGEST, days_of_inodes=LONGEST)
    assert ahead.words() == ("more than 10 years of bytes, more than 10 years of inodes at the last month's growth")


@pytest.mark.parametrize(("free", "growth", "days"), [(5100, 1, 100.0), (5001, 1000, 0.001), (5000, 1000, 0.0)])
def test_the_last_bytes_and_the_smallest_growth_count_too(free: int, growth: int, days: float) -> None:
    assert runway(daily(9, growth, 100), replace(SPACE, free=free), FLOORS).days_of_bytes == days


def test_a_filesystem_that_counts_no_inodes_does_not_run_out_of_them() -> None:
    ahead = runway(daily(9, 1000, None), replace(SPACE, inodes=0, inodes_free=0), FLOORS)
    assert ahead == Runway(days_of_bytes=41.0, days_of_inodes=LONGEST)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ((1.9, 1.0), "1 day of bytes, 1 of inodes at the last month's growth"),
        ((41.0, None), "41 days of bytes, inodes: not known at the last month's growth"),
        ((None, 17.0), "bytes: not known, 17 days of inodes at the last month's growth"),
    ],
)
def test_days_are_told_in_words_rounded_down(days: tuple[float | None, float | None], words: str) -> None:
    assert Runway(days_of_bytes=days[0], days_of_inodes=days[1]).words() == words


def test_every_folder_is_made_anew_by_every_snapshot() -> None:
    one = Snapshot(name="2026-11-23T081500Z", added_bytes=10, added_files=3, folders=5)
    assert growth([one]) == (Growth(at=datetime(2026, 11, 23, 8, 15, tzinfo=UTC), bytes=10 + 5 * 4096, inodes=8),)


def test_inodes_are_unknown_where_nobody_counted_the_folders() -> None:
    named = Snapshot(name="2026-11-23T081500Z", added_bytes=10, added_files=3)
    assert [(one.bytes, one.inodes) for one in growth([named, Snapshot(name="2026-02-30T081500Z")])] == [(10, None)]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.none() | st.integers(0, 10**12)), max_size=40))
def test_the_order_of_the_history_does_not_matter_and_days_are_never_negative(
    history: list[tuple[int, int | None]],
) -> None:
    told = [Growth(at=START + timedelta(minutes=at), bytes=size, inodes=size) for at, size in dict(history).items()]
    shuffled = random.Random(1).sample(told, len(told))
    ahead = runway(told, SPACE, FLOORS)
    assert ahead == runway(shuffled, SPACE, FLOORS)
    for days in (ahead.days_of_bytes, ahead.days_of_inodes):
        assert days is None or 0 <= days <= LONGEST
    assert ahead.words()


def test_room_is_what_the_disk_lost_and_lengths_count_only_while_no_record_says_more() -> None:
    old = [Snapshot(name=f"2026-11-{day}T081500Z", added_bytes=30 * 2**20, folders=0) for day in (20, 21)]
    new = [
        Snapshot(name=f"2026-11-{day}T081500Z", added_bytes=30 * 2**20, added_room=4096, folders=1) for day in (22, 23)
    ]
    assert brought(old) == (30 * 2**20, 30 * 2**20)
    assert brought([*old, *new]) == (None, None, 4096, 4096)
    assert [taken.bytes for taken in growth([*old, *new])] == [None, None, 8192, 8192]
