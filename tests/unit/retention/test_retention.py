"""What expires and what stays, and why: readable cases in cases/retention (a new case is a new file)."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from runner.config import quantity
from runner.jobs.retention.doubts import clock_ahead
from runner.jobs.retention.retention import Decision, Expiry, decide
from runner.jobs.retention.room import floor, shortages
from runner.jobs.retention.thinning import is_clean
from runner.model.facts import Snapshot, Space
from runner.model.names import snapshot_name, snapshot_time
from runner.model.site import Amount, Retention
from tests.unit import parts

GIB = 1 << 30
GOLDEN = parts.cases("retention")


def series(newest: str, every: str, count: int) -> list[Snapshot]:
    last = snapshot_time(newest)
    assert last is not None
    return [Snapshot(name=snapshot_name(last - number * quantity.duration(every))) for number in range(count)]


def size(text: str) -> int:
    return 0 if text == "0 B" else quantity.amount(text).bytes or 0


def policy_of(case: dict[str, Any]) -> Retention | None:
    if "retention" not in case:
        return None
    said = dict(case["retention"])
    for key in {"free_space", "free_inodes"} & said.keys():
        said[key] = asdict(quantity.amount(said[key]))
    return msgspec.convert(said, Retention)


def space_of(case: dict[str, Any]) -> Space | None:
    if "space" not in case:
        return None
    said = case["space"]
    free = said["free_bytes"] if "free_bytes" in said else size(said["free"])
    return Space(size=size(said["size"]), free=free, inodes=said["inodes"], inodes_free=said["inodes_free"])


def of_case(case: dict[str, Any]) -> Decision:
    sealed = [msgspec.convert(one, Snapshot) for one in case.get("sealed", ())]
    for one in case.get("series", ()):
        sealed += series(**one)
    return decide(sealed, policy_of(case), space_of(case), case.get("now", parts.NOW))


def told(gone: Expiry) -> str:
    unless = f"; unless {gone.unless.field} >= {gone.unless.value}" if gone.unless else ""
    return f"{gone.snapshot.name} {gone.goal}: {gone.reason}{unless}"


@pytest.mark.parametrize("name", GOLDEN)
def test_the_decision_is_the_golden_one(name: str) -> None:
    case = GOLDEN[name]
    decision = of_case(case)
    assert [told(one) for one in decision.expire] == case.get("expire", [])
    assert decision.frozen == case.get("frozen", "")
    assert [one.text for one in decision.doubts] == case.get("doubts", [])
    assert list(decision.unmeasured) == case.get("unmeasured", [])
    assert not any(one.extra for one in decision.expire), "no case has a per_day"
    if "kept" in case:
        assert [f"{one.snapshot.name} {one.reason}" for one in decision.keep] == case["kept"]
    else:
        assert len(decision.keep) == case["keep"]


@pytest.mark.parametrize("name", GOLDEN)
def test_what_a_person_must_see_says_what_to_do(name: str) -> None:
    decision = of_case(GOLDEN[name])
    assert bool(decision.frozen) == bool(decision.do)
    assert all(doubt.do for doubt in decision.doubts)


DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("apart", "old", "doubted"),
    [
        ([1] * 20, 14 * DAY, False),
        ([1] * 20, 14 * DAY + MINUTE, True),
        # Weekly ones: ten weeks are ten times as long.
        ([7] * 20, 70 * DAY, False),
        ([7] * 20, 70 * DAY + MINUTE, True),
        # The last ten times between two count: half of them a month, half a day.
        ([30] * 11 + [1] * 5, 155 * DAY, False),
        ([30] * 11 + [1] * 5, 155 * DAY + MINUTE, True),
    ],
)
def test_a_store_is_silent_after_two_weeks_and_ten_times_as_long_as_usual(
    apart: list[int], old: timedelta, doubted: bool
) -> None:
    times = [parts.NOW]
    for days in apart:
        times.append(times[-1] + days * DAY)
    assert (clock_ahead(times, times[-1] + old) is not None) == doubted


@pytest.mark.parametrize(
    ("freed", "measured"), [((None, None), False), ((GIB, None), False), ((None, 9000), False), ((GIB, 9000), True)]
)
def test_what_goes_for_room_is_measured_when_its_bytes_and_its_inodes_are(
    freed: tuple[int | None, int | None], measured: bool
) -> None:
    oldest = Snapshot(name="2026-11-20T081500Z", freed_bytes=freed[0], freed_inodes=freed[1])
    space = Space(size=100 * GIB, free=4 * GIB, inodes=100_000, inodes_free=1000)
    policy = Retention(min=1, max=9, free_space=Amount(percent=5), free_inodes=Amount(percent=5))
    decision = decide([oldest, Snapshot(name="2026-11-23T081500Z")], policy, space, parts.NOW)
    assert [one.snapshot.name for one in decision.expire] == [oldest.name]
    assert decision.unmeasured == (() if measured else (oldest.name,))


@pytest.mark.parametrize(
    ("amount", "whole", "least"),
    [
        (Amount(percent=5), 1000, 50),
        (Amount(percent=0.001), 100, 1),
        (Amount(percent=5), 0, 0),
        (Amount(bytes=7), 1000, 7),
        (Amount(), 1000, 0),
    ],
)
def test_the_least_that_stays_free_is_a_share_rounded_up_or_a_number(amount: Amount, whole: int, least: int) -> None:
    assert floor(amount, whole) == least


def test_at_its_floors_a_disk_lacks_nothing_and_one_without_inodes_never_lacks_them() -> None:
    policy = Retention(min=1, max=9, free_space=Amount(bytes=10), free_inodes=Amount(bytes=10))
    at_its_floors = Space(size=100, free=10, inodes=100, inodes_free=10)
    assert shortages(policy, at_its_floors) == ()
    assert shortages(policy, replace(at_its_floors, inodes=0, inodes_free=0)) == ()
    less = replace(at_its_floors, free=9, inodes_free=9)
    assert [(lack.resource, lack.missing) for lack in shortages(policy, less)] == [("space", 1), ("inodes", 1)]


def test_a_shrunk_source_is_told_along_with_a_wrong_clock() -> None:
    sealed = [
        Snapshot(name="2026-11-22T081500Z", host="papio", files=1000),
        Snapshot(name="2026-11-23T081500Z", host="papio", files=1),
    ]
    decision = decide(sealed, Retention(min=1, max=1), None, parts.NOW - timedelta(days=2))
    assert "clock" in decision.frozen
    assert "shrank" in decision.doubts[0].text


def test_a_store_full_of_pins_goes_over_max_and_says_so() -> None:
    sealed = [
        Snapshot(name=f"2026-11-{day}T081500Z", pinned_until=parts.NOW + timedelta(days=1)) for day in range(10, 24)
    ]
    decision = decide(sealed, Retention(min=1, max=2), None, parts.NOW)
    assert decision.expire == ()
    assert "13 pinned" in decision.doubts[0].text


def test_a_snapshot_whose_record_cannot_be_read_waits_for_a_person() -> None:
    sealed = [Snapshot(name=f"2026-11-{day}T081500Z", host="papio") for day in range(10, 24)]
    sealed[0] = replace(sealed[0], host="", exceptions=None)
    decision = decide(sealed, Retention(min=1, max=12), None, parts.NOW)
    assert [gone.snapshot.name[8:10] for gone in decision.expire] == ["11", "12"]
    # What no run has sealed is none of ours, and is not asked here.
    assert "record cannot be read" in decision.keep[0].reason


def test_a_snapshot_of_which_the_exceptions_are_not_known_does_not_count_towards_min() -> None:
    known = Snapshot(name="2026-11-22T081500Z")
    assert is_clean(known)
    assert not is_clean(replace(known, exceptions=None))
    assert not is_clean(replace(known, exceptions=1))


def test_a_naive_clock_is_refused() -> None:
    with pytest.raises(TypeError):
        decide([Snapshot(name="2026-11-23T081500Z")], Retention(min=1, max=1), None, datetime(2026, 12, 1))


def test_percent_floors_are_exact_where_floats_are_not() -> None:
    # 2.3 % of 1000 is 23; 0.023 * 1000 as floats is a little less.
    space = Space(size=1000, free=23, inodes=0, inodes_free=0)
    policy = Retention(min=1, max=9, free_space=Amount(percent=2.3))
    sealed = [Snapshot(name=f"2026-11-2{day}T081500Z") for day in range(1, 4)]
    assert decide(sealed, policy, space, parts.NOW).expire == ()
