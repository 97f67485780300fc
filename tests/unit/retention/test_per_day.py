"""What one day may have: however many snapshots are made on it, no other day's go for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from runner.config import order
from runner.jobs.retention.prune import careful
from runner.jobs.retention.retention import Decision, decide
from runner.jobs.retention.thinning import counting, extras, named_day
from runner.model.facts import Snapshot, Space
from runner.model.names import snapshot_name, snapshot_time
from runner.model.site import Amount, Retention, Thin

MONDAY = datetime(2026, 10, 19, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
ROOMY = Space(size=10_000, free=5_000, inodes=0, inodes_free=0)
MONTH = 30


def at(moment: datetime, **about: object) -> Snapshot:
    """A snapshot that was begun and sealed then."""
    return Snapshot(name=snapshot_name(moment), sealed=moment + MINUTE, **about)  # type: ignore[arg-type]


def days(*numbers: int) -> list[Snapshot]:
    """As many snapshots, an hour apart, on each day from Monday on."""
    return [at(MONDAY + day * DAY + HOUR * (1 + each)) for day, many in enumerate(numbers) for each in range(many)]


def names(snapshots: list[Snapshot]) -> list[str]:
    return [snapshot.name for snapshot in snapshots]


def kept(decision: Decision) -> set[str]:
    return {stays.snapshot.name for stays in decision.keep}


def decided(sealed: list[Snapshot], policy: Retention, space: Space = ROOMY) -> Decision:
    newest = max(moment for snapshot in sealed if (moment := snapshot_time(snapshot.name)))
    return decide(sealed, policy, space, newest + HOUR)


THIN = st.lists(st.builds(Thin, period=st.sampled_from(["daily", "weekly", "monthly"]), count=st.integers(1, 4)))
POLICIES = st.builds(
    Retention, min=st.integers(1, 6), max=st.integers(1, 9), per_day=st.integers(2, 4),
    thin=THIN.map(lambda rules: tuple(rules[:2])),
    free_space=st.sampled_from([None, None, Amount(bytes=5_040), Amount(bytes=5_100)]),
)  # fmt: skip


@given(st.data(), POLICIES)
def test_however_many_quick_snapshots_are_made_on_one_day_no_other_day_loses_any(
    data: st.DataObject, policy: Retention
) -> None:
    """Not to `max`, to `min`, to thinning or to room: on any day that has as many as it may have without them."""
    numbers = data.draw(st.lists(st.integers(0, policy.per_day), min_size=2, max_size=7))
    filled = data.draw(st.integers(0, len(numbers) - 1))
    before = days(*(policy.per_day if day == filled else many for day, many in enumerate(numbers)))
    # What the oldest free is known, and the quick ones bring nothing of their own.
    before = [replace(each, freed_bytes=10 * n, freed_inodes=n) for n, each in enumerate(before, start=1)]
    begin = MONDAY + filled * DAY + data.draw(st.sampled_from([HOUR, 90 * MINUTE, 12 * HOUR]))
    # Thinning leaves a day fewer than it may have, and another one stands for the day: then a pinned one of that day,
    # which stands for nothing any more, takes a place that the day may have. That is so without quick ones too.
    may_be_pinned = [not policy.thin or named_day(each) != named_day(at(begin)) for each in before]
    until = [data.draw(st.sampled_from([None] * 5 + [MONDAY + 99 * DAY])) if may else None for may in may_be_pinned]
    before = [replace(each, pinned_until=end) for each, end in zip(before, until, strict=True)]
    odd = st.sampled_from([0, 0, 0, 3])
    quick = [at(begin + n * MINUTE, exceptions=data.draw(odd)) for n in range(1, data.draw(st.integers(1, 25)))]
    # Nor does the newest of all stand for its day where it has exceptions, and it stays as a pinned one does.
    if policy.thin:
        quick[-1:] = [replace(each, exceptions=0) for each in quick[-1:]]
    others = {each.name for each in before if each.name[:10] != f"{begin:%Y-%m-%d}"}
    without, beside = decided(before, policy), decided([*before, *quick], policy)
    # Where even all that may go was too little nothing goes; with a newer newest more may.
    assume(not without.frozen)
    event(f"some went: {bool(without.expire)}, extra went: {any(gone.extra for gone in beside.expire)}")
    assert kept(without) & others <= kept(beside)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(2, 4), st.data())
def test_what_is_extra_is_never_a_days_first_or_last_nor_its_only_whole_ones(
    numbers: list[int], per_day: int, data: st.DataObject
) -> None:
    sealed = [replace(each, exceptions=data.draw(st.sampled_from([0, 0, 2]))) for each in days(*numbers)]
    extra = extras(sealed, per_day)
    for day in {each.name[:10] for each in sealed}:
        own = [each for each in sealed if each.name.startswith(day)]
        whole = [each.name for each in own if not each.exceptions]
        stay = [each.name for each in own if each.name not in extra]
        assert min(per_day, len(own)) <= len(stay) <= per_day + 2
        assert {own[0].name, own[-1].name, *whole[:1], *whole[-1:]} <= set(stay)
        assert len(set(whole) - extra) == min(per_day, len(whole))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), POLICIES)
def test_what_stays_is_decided_again_and_nothing_more_goes(numbers: list[int], policy: Retention) -> None:
    sealed = days(*numbers)
    assume(sealed)
    policy = replace(policy, free_space=None)
    first = decided(sealed, policy)
    assert counting([each for each in sealed if each.name in kept(first)], policy).count >= min(
        policy.min, counting(sealed, policy).count
    )
    assert decided([each for each in sealed if each.name in kept(first)], policy).expire == ()


def test_a_pinned_one_for_which_another_stands_takes_one_of_the_places_of_its_day_and_no_more() -> None:
    old, own = days(1, 1), days(0, 0, 2)
    own[1] = replace(own[1], pinned_until=MONDAY + 99 * DAY)
    policy = Retention(min=1, max=3, per_day=2, thin=(Thin(period="daily", count=3),))
    assert kept(decided([*old, *own], policy)) == {*names(old), own[1].name}
    for many in (1, 2, 20):
        quick = [at(MONDAY + 2 * DAY + 12 * HOUR + n * MINUTE) for n in range(many)]
        assert kept(decided([*old, *own, *quick], policy)) == {old[1].name, own[1].name, quick[-1].name}


@pytest.mark.parametrize(
    ("policy", "numbers", "stay"),
    [
        # Three of four old ones go for the three that a day may have; seven quick ones take no more than three.
        (Retention(min=2, max=4, per_day=3), (1, 1, 1, 1, 3), (0, 0, 0, 1, 3)),
        (Retention(min=2, max=4, per_day=3), (1, 1, 1, 1, 7), (0, 0, 0, 1, 3)),
        # Without a limit all four go.
        (Retention(min=2, max=4), (1, 1, 1, 1, 7), (0, 0, 0, 0, 4)),
        # The quick ones alone are more than `min` and count as three, so nothing goes below it.
        (Retention(min=6, max=6, per_day=3), (1, 1, 1, 1, 20), (0, 1, 1, 1, 3)),
        (Retention(min=8, max=9, per_day=3), (1, 1, 1, 1, 20), (1, 1, 1, 1, 20)),
        # The first day of a store: nothing has to go yet.
        (Retention(min=30, max=400, per_day=3), (12,), (12,)),
        # What is extra goes only where there are too many of all.
        (Retention(min=2, max=12, per_day=3), (1, 1, 8), (1, 1, 8)),
        (Retention(min=2, max=9, per_day=3), (1, 1, 8), (1, 1, 7)),
    ],
)
def test_how_many_of_each_day_stay(policy: Retention, numbers: tuple[int, ...], stay: tuple[int, ...]) -> None:
    left = kept(decided(days(*numbers), policy))
    assert tuple(sum(name.startswith(f"{MONDAY + n * DAY:%F}") for name in left) for n in range(len(numbers))) == stay


def test_of_a_day_its_first_ones_and_its_last_stay_in_this_order() -> None:
    sealed = days(1, 8)
    decision = decided(sealed, Retention(min=1, max=4, per_day=3))
    assert [stays.snapshot.name for stays in decision.keep] == [*names(sealed[:3]), sealed[-1].name]
    assert {gone.reason for gone in decision.expire} == {"an extra one of its day, beyond per_day = 3"}


def test_pinned_proven_and_read_ones_stay_and_take_the_place_of_no_other_day() -> None:
    old, quick = days(1, 1, 1), days(0, 0, 0, 9)
    quick[3:6] = (
        replace(quick[3], pinned_until=MONDAY + 99 * DAY), replace(quick[4], proven=("files",)),
        replace(quick[5], being_read=True),
    )  # fmt: skip
    decision = decided([*old, *quick], Retention(min=1, max=6, per_day=3))
    assert kept(decision) == {*names(old), *names(quick[:2]), *names(quick[3:6]), quick[-1].name}
    assert not decision.doubts


def test_of_a_day_without_a_whole_one_the_first_ones_and_the_last_stay() -> None:
    torn = [replace(each, exceptions=3) for each in days(8)]
    assert extras(torn, 3) == {*names(torn[2:-1])}
    assert extras(torn[:3], 3) == extras(torn, 0) == frozenset()
    assert extras(torn, 1) == {*names(torn[1:-1])}


def test_what_is_extra_and_stays_is_told_as_the_first_to_go() -> None:
    sealed = days(1, 1, 5)
    decision = decided(sealed, Retention(min=2, max=12, per_day=3))
    told = {stays.snapshot.name: stays.reason for stays in decision.keep}
    assert told[sealed[4].name] == "an extra one of its day, beyond per_day = 3: among the first to go"
    assert told[sealed[3].name] == "within max: 12"


def test_where_no_record_says_when_they_were_sealed_their_names_do() -> None:
    old = [replace(each, sealed=None) for each in days(1, 1, 1, 4)]
    assert counting(old, Retention(min=1, max=9, per_day=3)).count == 6


def test_another_job_of_the_same_day_is_counted_by_itself() -> None:
    hourly = [at(MONDAY + HOUR * n, job="hourly") for n in range(1, 9)]
    nightly = at(MONDAY + 5 * HOUR + MINUTE, job="nightly")
    assert extras([*hourly, nightly], 3) == {*names(hourly[2:-1])}


def test_the_day_on_which_clocks_are_put_back_is_a_day_like_any_other() -> None:
    """New York's 1 November has 25 hours; an hourly job fires 24 times in each day of UTC's."""
    hourly = [at(MONDAY + n * HOUR) for n in range(24 * 20)]
    assert extras(hourly, order.times_a_day("0 * * * *")) == frozenset()
    assert extras(hourly, 24 - 1) != frozenset()


def test_names_of_other_days_do_not_make_what_was_sealed_on_one_count_towards_min() -> None:
    old = days(1, 1, 1, 1)
    sealed_at = MONDAY + 4 * DAY
    junk = [replace(at(sealed_at + n * DAY), sealed=sealed_at + n * MINUTE) for n in range(20)]
    left = kept(decided([*old, *junk], Retention(min=6, max=6, per_day=3)))
    assert set(names(old[1:])) <= left


def test_a_store_whose_clock_stands_still_gives_up_nothing_for_it() -> None:
    """Then fewer count than there are, so nothing goes; never more."""
    monthly = [replace(each, sealed=datetime(1970, 1, 1, tzinfo=UTC)) for each in days(*[1] * MONTH)]
    thin = (Thin(period="daily", count=60),)
    assert kept(decided(monthly, Retention(min=2, max=400, per_day=3, thin=thin))) == set(names(monthly))
    decision = decided(monthly, Retention(min=20, max=20, per_day=3))
    assert kept(decision) == set(names(monthly))
    assert "needed for min = 20" in decision.doubts[0].text


def test_what_is_extra_goes_for_room_before_anything_is_measured_and_before_the_oldest() -> None:
    sealed = days(1, 1, 7)
    short = replace(ROOMY, free=10)
    decision = decided(sealed, Retention(min=1, max=99, per_day=3, free_space=Amount(bytes=100)), short)
    assert [gone.snapshot.name for gone in decision.expire][:5] == [*names(sealed[4:8]), sealed[0].name]
    assert decision.unmeasured[0] == sealed[0].name
    assert [gone.snapshot.name for gone in careful(decision, replace(short, free=1 << 21)).expire] == names(sealed[4:8])
    assert all(gone.unless for gone in decision.expire)


def test_a_source_that_is_empty_is_doubted_longer_than_it_takes_to_copy_it_ten_times() -> None:
    full = [replace(each, files=1000, host="papio") for each in days(*[1] * 8)]
    empty = [replace(each, files=3, host="papio") for each in days(*[0] * 8, 12)]
    policy = Retention(min=1, max=3, per_day=3)
    assert "shrank" in decided([*full, *empty], policy).frozen
    assert "shrank" not in decided([*full, *empty], replace(policy, per_day=0)).frozen


@pytest.mark.parametrize(
    ("schedule", "times"),
    [
        ("15 3 * * *", 1), ("0 0 * * *", 1), ("0 * * * *", 24), ("*/15 8-18 * * 1-5", 44), ("* * * * *", 1440),
        ("0 9,17 1 1 *", 2), ("30 2 29 2 *", 1), ("", 0), ("no schedule", 0), ("0 0 31 2 *", 0),
    ],
)  # fmt: skip
def test_how_often_a_schedule_fires_on_a_day(schedule: str, times: int) -> None:
    assert order.times_a_day(schedule) == times
