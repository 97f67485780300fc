"""Which jobs are due: cron's fields in the site's zone, each scheduled time made good exactly once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.plan import Skip
from runner.model.site import Job, Site
from runner.planning import schedule
from tests.unit import parts

ZONES = ("America/New_York", "Europe/Berlin", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana")
# Days around which the clocks of some of these zones go forward or back.
TURNS = ("2026-03-07", "2026-03-28", "2026-10-24", "2026-10-31", "2026-10-03", "2026-04-04", "2026-06-01")
SCHEDULES = ("15 3 * * *", "30 1 * * *", "30 2 * * *", "0 0 * * *", "59 23 * * *", "0 * * * *", "*/20 * * * *")


def site(*jobs: Job, zone: str = "America/New_York") -> Site:
    return parts.site(jobs=jobs, timezone=zone)


def due(line: str, last: str, now: str, zone: str = "America/New_York") -> bool:
    """Whether a job of this schedule is due; both times are of the zone."""
    moments = [datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)) for text in (last, now)]
    jobs = schedule.due(site(parts.job("a", schedule=line), zone=zone), {"a": moments[0]}, moments[1]).jobs
    return bool(jobs)


@pytest.mark.parametrize(
    ("line", "last", "now", "wanted"),
    [
        ("15 3 * * *", "2026-11-22T03:15", "2026-11-23T03:14:59", False),
        ("15 3 * * *", "2026-11-22T03:15", "2026-11-23T03:15", True),
        ("15 3 * * *", "2026-11-22T03:15", "2026-11-25T12:00", True),
        ("15 3 * * *", "2026-11-23T03:15", "2026-11-23T03:15:30", False),
        ("15 3 * * *", "2026-11-23T03:14:59", "2026-11-23T03:15", True),
        ("15 3 * * *", "2026-11-22T23:00", "2026-11-23T03:15", True),
        ("0 0 29 2 *", "2024-02-29T00:00", "2028-02-28T23:59", False),
        ("0 0 29 2 *", "2024-02-29T00:00", "2028-02-29T00:00", True),
        ("0 4 * * 1", "2026-11-16T04:00", "2026-11-22T23:00", False),
        ("0 4 * * 1", "2026-11-16T04:00", "2026-11-23T04:00", True),
        # The hour from 2 to 3 does not exist, then the one from 1 to 2 is there twice.
        ("30 2 * * *", "2026-03-07T02:30", "2026-03-08T01:59:59", False),
        ("30 2 * * *", "2026-03-07T02:30", "2026-03-08T03:00", True),
        ("30 2 * * *", "2026-03-08T03:00", "2026-03-08T23:00", False),
        ("30 1 * * *", "2026-11-01T01:30", "2026-11-01T23:00", False),
    ],
)
def test_a_job_is_due_from_its_scheduled_minute_on(line: str, last: str, now: str, wanted: bool) -> None:
    assert due(line, last, now) is wanted


def test_the_second_of_two_equal_hours_does_not_run_the_job_again() -> None:
    zone = ZoneInfo("America/New_York")
    first = datetime(2026, 11, 1, 1, 30, tzinfo=zone)
    again = first.replace(fold=1)
    job = parts.job("a", schedule="30 1 * * *")
    assert schedule.due(site(job), {"a": first}, again + timedelta(minutes=5)).jobs == ()


def test_a_job_that_never_succeeded_is_due_and_one_without_a_schedule_never_is() -> None:
    found = schedule.due(site(parts.job("a", schedule="0 4 * * *"), parts.job("b")), {}, parts.NOW)
    assert [job.name for job in found.jobs] == ["a"]
    assert found.skips == ()


def test_a_success_under_a_clock_that_was_ahead_proves_nothing() -> None:
    found = schedule.due(site(parts.job("a", schedule="15 3 * * *")), {"a": parts.later(days=1)}, parts.NOW)
    assert [job.name for job in found.jobs] == ["a"]


def test_what_only_looks_comes_apart_and_says_what_is_not_due_where_it_is_all_there_is() -> None:
    copy, look = parts.job("a", schedule="* * * * *"), replace(parts.job("b", schedule="* * * * *"), kind="check")
    skip = Skip(job="c", reason="not due")
    both = schedule.DueJobs(jobs=(look, copy), skips=(skip,))
    doing, looking = schedule.apart(both, ("check",))
    assert (doing.jobs, doing.skips, looking.jobs, looking.skips) == ((copy,), (skip,), (look,), ())
    doing, looking = schedule.apart(replace(both, jobs=(look,)), ("check",))
    assert (doing.jobs, looking.jobs, looking.skips) == ((), (look,), (skip,))


def test_a_skip_says_when_the_job_is_due_in_the_zone_of_the_site() -> None:
    found = schedule.due(site(parts.job("a", schedule="15 3 * * *")), {"a": parts.NOW}, parts.NOW)
    assert found.skips[0].reason == "not due until 2026-11-24 03:15 EST"


@given(
    zone=st.sampled_from(ZONES), line=st.sampled_from(SCHEDULES), day=st.sampled_from(TURNS),
    hours=st.integers(0, 24), every=st.sampled_from((300, 420, 540)), offset=st.integers(0, 59),
)  # fmt: skip
def test_each_scheduled_time_fires_once_whatever_the_clocks_do(
    zone: str, line: str, day: str, hours: int, every: int, offset: int
) -> None:
    here = ZoneInfo(zone)
    start = datetime.fromisoformat(day).replace(tzinfo=here).astimezone(UTC) + timedelta(hours=hours)
    end = start + timedelta(hours=30)
    job = parts.job("a", schedule=line)
    last, now, fired = start, start + timedelta(seconds=offset), []
    while now <= end:
        if schedule.due(site(job, zone=zone), {"a": last}, now).jobs:
            fired.append(now)
            last = now
        now += timedelta(seconds=every)
    meant: list[datetime] = []
    moment = start.astimezone(here)
    while (moment := schedule.next_time(line, moment)).astimezone(UTC) <= now - timedelta(seconds=every):
        meant.append(moment.astimezone(UTC))
    assert len(fired) == len(set(meant)) == len(meant)
    late = [at - time for at, time in zip(fired, meant, strict=True)]
    assert all(timedelta(0) <= one < timedelta(seconds=every) for one in late)


@given(
    line=st.sampled_from(SCHEDULES), zone=st.sampled_from(ZONES), apart=st.integers(0, 200_000),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), east=st.integers(-23, 23),
)  # fmt: skip
def test_it_does_not_matter_in_which_zone_a_moment_is_told(
    line: str, zone: str, apart: int, now: datetime, east: int
) -> None:
    moment = now.replace(tzinfo=UTC)
    last = moment - timedelta(seconds=apart)
    other = timezone(timedelta(hours=east))
    here = site(parts.job("a", schedule=line), zone=zone)
    assert schedule.due(here, {"a": last}, moment) == schedule.due(
        here, {"a": last.astimezone(other)}, moment.astimezone(ZoneInfo("Europe/Berlin"))
    )


@given(
    line=st.sampled_from(SCHEDULES),
    zone=st.sampled_from(ZONES),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
)
def test_the_previous_time_is_not_after_and_the_next_not_before(line: str, zone: str, now: datetime) -> None:
    moment = now.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    before, after = schedule.previous_time(line, moment), schedule.next_time(line, moment)
    assert before.astimezone(UTC) <= moment.astimezone(UTC) < after.astimezone(UTC)


@pytest.mark.parametrize("line", (*SCHEDULES, "5,25,45 2 * * *", "15 1-3 * * *", "0,30 1 * * *"))
@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/New_York", "2026-11-01"), ("Europe/Berlin", "2026-10-25"), ("Australia/Lord_Howe", "2026-04-05"),
        ("America/Havana", "2026-11-01"), ("Europe/Berlin", "2026-03-29"), ("America/Havana", "2026-03-08"),
    ],
)  # fmt: skip
def test_in_a_night_in_which_the_clocks_turn_no_time_lies_between_the_previous_and_the_next(
    zone: str, day: str, line: str
) -> None:
    here = ZoneInfo(zone)
    start = datetime.fromisoformat(day).replace(tzinfo=here).astimezone(UTC)
    moment, times = (start - timedelta(days=2)).astimezone(here), list[datetime]()
    while moment.astimezone(UTC) < start + timedelta(days=2):
        moment = schedule.next_time(line, moment)
        times.append(moment.astimezone(UTC))
    for minutes in range(0, 6 * 60, 7):
        now = start + timedelta(minutes=minutes)
        known = schedule.previous_time(line, now.astimezone(here)), schedule.next_time(line, now.astimezone(here))
        before, after = max(time for time in times if time <= now), min(time for time in times if time > now)
        assert [time.astimezone(UTC) for time in known] == [before, after]


def test_jobs_stand_behind_what_they_come_after_and_otherwise_as_declared() -> None:
    jobs = (
        parts.job("c", after=("a", "b")), parts.job("b", after=("a",)), parts.job("d"), parts.job("a"),
    )  # fmt: skip
    assert [job.name for job in schedule.in_order(jobs)] == ["a", "b", "c", "d"]
    assert [job.name for job in schedule.in_order(jobs[::-1])] == ["a", "d", "b", "c"]


def test_a_named_job_brings_all_that_it_comes_after_due_or_not() -> None:
    here = site(parts.job("c", after=("b",)), parts.job("b", after=("a",)), parts.job("a"), parts.job("d"))
    assert [job.name for job in schedule.named(here, ["c"]).jobs] == ["a", "b", "c"]
    with pytest.raises(KeyError):
        schedule.named(here, ["x"])


def test_the_order_of_the_jobs_changes_nothing_about_which_are_due() -> None:
    jobs = tuple(parts.job(name, schedule=f"{number} * * * *") for number, name in enumerate("abcd"))
    last = {name: parts.NOW - timedelta(minutes=15) for name in "abcd"}
    for now in (parts.NOW, parts.later(minutes=46), parts.later(minutes=47), parts.later(minutes=48)):
        one = schedule.due(site(*jobs), last, now)
        other = schedule.due(site(*jobs[::-1]), dict(reversed(last.items())), now)
        assert {job.name for job in one.jobs} == {job.name for job in other.jobs}
        assert set(one.skips) == set(other.skips)


def test_a_job_keeps_its_own_schedule_when_the_one_before_it_is_not_due() -> None:
    first, second = (parts.job("a", schedule="0 4 * * *"), replace(parts.job("b", after=("a",)), schedule="* * * * *"))
    found = schedule.due(site(first, second), {"a": parts.NOW, "b": parts.NOW}, parts.later(minutes=5))
    assert [job.name for job in found.jobs] == ["b"]
