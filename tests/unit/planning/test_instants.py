"""For which instant a job is run: the last time of its schedule, whatever the clocks do, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.jobs.catalogue import KINDS
from runner.model.errors import UsageError
from runner.model.facts import Facts, Snapshot
from runner.model.plan import Command, Plan
from runner.model.site import Job
from runner.planning import planner, schedule
from tests.unit import parts
from tests.unit.planning.test_schedule import SCHEDULES, TURNS, ZONES, site

AT = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
DAY = timedelta(days=1)
ONE = parts.job("a", schedule="15 3 * * *")


def instants(job: Job, now: datetime, zone: str) -> Sequence[datetime]:
    due = schedule.due(site(job, zone=zone), {}, now)
    return [each.instant for each in due.jobs if each.instant]


def asked(instant: datetime, *jobs: Job, now: datetime = AT) -> schedule.DueJobs:
    return schedule.for_instant(site(*jobs or (ONE,)), "a", instant, now)


@given(
    zone=st.sampled_from(ZONES), line=st.sampled_from(SCHEDULES), day=st.sampled_from(TURNS),
    minutes=st.integers(0, 60 * 50), seconds=st.integers(0, 59),
)  # fmt: skip
def test_what_is_due_is_for_one_of_its_times_and_a_second_later_for_the_same(
    zone: str, line: str, day: str, minutes: int, seconds: int
) -> None:
    """On days with an hour that is missing, and on days with one that comes twice."""
    job, start = parts.job("a", schedule=line), datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    now = start.astimezone(UTC) + timedelta(minutes=minutes, seconds=seconds)
    (instant,) = instants(job, now, zone)
    assert instant.tzinfo is UTC and instant <= now
    # Whoever is asked for it by name accepts it, now and until the next time; then it is missed.
    here = site(job, zone=zone)
    again = schedule.for_instant(here, "a", instant, now)
    assert [each.instant for each in again.jobs] == [instant] and not again.missed
    following = schedule.next_time(line, now.astimezone(ZoneInfo(zone))).astimezone(UTC)
    assert instants(job, following - timedelta(seconds=1), zone) == [instant]
    assert instants(job, following, zone) == [following]
    assert schedule.for_instant(here, "a", instant, following).missed == "a"


@example(zone="America/New_York", line="30 1 * * *", day="2026-10-31", minutes=26 * 60 - 1, apart=1)
@example(zone="America/New_York", line="30 1 * * *", day="2026-10-31", minutes=26 * 60 + 29, apart=60)
@given(
    zone=st.sampled_from(ZONES), line=st.sampled_from(SCHEDULES), day=st.sampled_from(TURNS),
    minutes=st.integers(0, 60 * 50), apart=st.integers(1, 60 * 26 * 60),
)  # fmt: skip
def test_no_two_times_are_one_instant_and_a_clock_that_is_set_back_comes_to_the_same_again(
    zone: str, line: str, day: str, minutes: int, apart: int
) -> None:
    job, start = parts.job("a", schedule=line), datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    later = start.astimezone(UTC) + timedelta(minutes=minutes)
    (before,), (after,) = instants(job, later - timedelta(seconds=apart), zone), instants(job, later, zone)
    assert before <= after
    assert instants(job, before + timedelta(seconds=1), zone) == [before]
    assert instants(job, after, zone) == [after]


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)), st.sampled_from(ZONES), st.sampled_from(SCHEDULES))
def test_a_time_that_is_none_of_the_schedule_is_refused_with_the_nearest_that_is(
    moment: datetime, zone: str, line: str
) -> None:
    instant = moment.replace(tzinfo=UTC, second=0, microsecond=0)
    here, there = site(parts.job("a", schedule=line), zone=zone), instant.astimezone(ZoneInfo(zone))
    now = instant + timedelta(minutes=5)
    before = schedule.previous_time(line, there).astimezone(UTC)
    if before == instant:
        assert schedule.for_instant(here, "a", instant, now).jobs
        return
    with pytest.raises(UsageError) as refused:
        schedule.for_instant(here, "a", instant, now)
    after = schedule.next_time(line, there).astimezone(UTC)
    nearest = after if after <= now and after - instant < instant - before else before
    assert f"--for {nearest:%Y-%m-%dT%H:%MZ}" in refused.value.do


def test_the_nearest_time_may_be_now() -> None:
    with pytest.raises(UsageError) as refused:
        asked(AT - timedelta(minutes=1))
    assert refused.value.do == "the nearest is 2026-11-23 03:15 EST: --for 2026-11-23T08:15Z"


def test_a_time_that_has_not_come_is_refused_in_the_time_of_the_site() -> None:
    with pytest.raises(UsageError, match="2026-11-24 03:15 EST is to come: it is 2026-11-23 03:15 EST"):
        asked(AT + DAY)


def test_a_job_without_a_schedule_takes_any_time_that_has_come() -> None:
    bare = parts.job("a")
    for instant in (AT, AT - timedelta(seconds=1), AT - 400 * DAY):
        due = asked(instant, bare)
        assert [job.instant for job in due.jobs] == [instant] and not due.missed
    with pytest.raises(UsageError, match="is to come"):
        asked(AT + timedelta(seconds=1), bare)


def test_what_a_job_comes_after_is_for_its_own_latest_time_or_for_the_same() -> None:
    jobs = (parts.job("b", schedule="0 * * * *"), parts.job("c"), replace(ONE, after=("b", "c")))
    due = asked(AT - DAY, *jobs)
    assert {job.name: job.instant for job in due.jobs} == {"a": AT - DAY, "b": AT.replace(minute=0), "c": AT - DAY}
    assert due.missed == "a"


def test_by_hand_is_for_no_instant() -> None:
    assert [job.instant for job in schedule.named(site(ONE), ("a",)).jobs] == [None]


def test_it_is_not_lost_where_what_looks_is_set_apart() -> None:
    doing, looking = schedule.apart(asked(AT - DAY), ("snapshot",))
    assert (doing.jobs, doing.missed, looking.missed) == ((), "a", "a")


def planned(*sealed: Snapshot, missed: bool = False) -> Plan:
    """The plan for papio's snapshot of AT (of the day before), where the store has these."""
    here = parts.site()
    due = schedule.for_instant(here, "backup-papio", AT - DAY * missed, AT)
    known = parts.facts({"server": {"store": {"sealed": []}}}, at=AT)
    hosts = dict(known.hosts)
    store = replace(hosts[parts.SERVER].stores["papio"], sealed=sealed)
    hosts[parts.SERVER] = replace(hosts[parts.SERVER], stores={"papio": store})
    facts: Facts = replace(known, hosts=hosts)
    plan = planner.draft(here, due.jobs, facts, KINDS, {})
    schedule.require_not_missed(here, due, plan)
    return plan


def sealed(name: str, instant: datetime | None, **changes: str | bool) -> Snapshot:
    values = {"job": "backup-papio", "host": parts.PAPIO, "recorded": True, **changes}
    return Snapshot(name=name, sealed=AT, instant=instant, filesystems=("/", "/home"), **values)  # type: ignore[arg-type]


def test_what_is_sealed_for_the_instant_is_skipped_as_done() -> None:
    plan = planned(sealed("2026-11-23T081501Z", AT))
    (skip,) = plan.skips
    assert (plan.jobs, plan.findings, skip.done) == ((), (), AT)
    assert skip.reason == "already done for 2026-11-23 03:15 EST: papio/2026-11-23T081501Z is sealed"


@pytest.mark.parametrize(
    "other",
    [
        sealed("2026-11-22T081501Z", AT - DAY),
        sealed("2026-11-22T081501Z", None),
        sealed("2026-11-22T081501Z", AT, job="another"),
        sealed("2026-11-22T081501Z", AT, recorded=False),
    ],
)
def test_what_is_for_another_time_or_for_none_of_another_job_or_not_sealed_does_not_count(other: Snapshot) -> None:
    (job,) = planned(other).jobs
    assert job.instant == AT and job.writes


def test_a_missed_instant_cannot_be_run_but_may_have_been_done() -> None:
    with pytest.raises(UsageError, match="2026-11-22 03:15 EST is missed: backup-papio was due again since"):
        planned(missed=True)
    assert planned(sealed("2026-11-22T081501Z", AT - DAY), missed=True).skips[0].done


def test_the_plan_of_an_instant_hands_it_to_begin() -> None:
    (first, *_) = planned().steps
    assert first.id == "backup-papio/begin" and isinstance(first.action, Command)
    assert {"--job=backup-papio", "--instant=2026-11-23T08:15:00+00:00"} <= set(first.action.argv)
