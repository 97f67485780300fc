"""Names made from the time: their order is that of time, and none is given twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.names import next_snapshot_name, plan_id, snapshot_name, snapshot_time
from tests.unit import parts

# Names are of the years to 2099, in UTC.
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 30), timezones=st.timezones())


@given(moment=MOMENTS, other=MOMENTS)
def test_the_order_of_names_is_the_order_of_moments(moment: datetime, other: datetime) -> None:
    first, second = snapshot_name(moment), snapshot_name(other)
    assert snapshot_time(first) == moment.astimezone(UTC).replace(microsecond=0)
    assert (first < second) == (snapshot_time(first) < snapshot_time(second))  # type: ignore[operator]


@pytest.mark.parametrize(
    "name",
    ["", "latest", "2026-11-23", "2026-11-23T081500", "2026-11-23T081500Z\n", "2026-13-01T000000Z",
     "2026-11-31T000000Z", "2026-11-23T246000Z", ".partial", "2026-11-23T081500Z.1"],
)  # fmt: skip
def test_what_is_no_snapshots_name_tells_no_time(name: str) -> None:
    assert snapshot_time(name) is None


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ((), "2026-11-23T081500Z"),
        (("2026-11-23T081459Z",), "2026-11-23T081500Z"),
        (("2026-11-23T081500Z",), "2026-11-23T081501Z"),
        (("2026-11-23T081505Z", "2026-11-22T081500Z"), "2026-11-23T081506Z"),
        (("2026-11-23T081700Z",), "2026-11-23T081701Z"),
        (("2026-11-23T081701Z",), None),
        (("2027-11-23T081500Z",), None),
        (("lost+found", "9999-99-99T999999Z"), "2026-11-23T081500Z"),
    ],
)
def test_a_new_name_is_later_than_all_or_there_is_none(taken: tuple[str, ...], name: str | None) -> None:
    assert next_snapshot_name(parts.NOW, taken) == name


@given(seconds=st.lists(st.integers(-300, 300), max_size=6), micro=st.integers(0, 999_999))
def test_a_new_name_is_never_taken_nor_earlier(seconds: list[int], micro: int) -> None:
    taken = [snapshot_name(parts.later(seconds=each)) for each in seconds]
    name = next_snapshot_name(parts.NOW + timedelta(microseconds=micro), taken)
    assert name is None or all(name > other for other in taken)
    assert (name is None) == (max(seconds, default=0) - micro / 1e6 > 120)


def test_a_plans_name_tells_the_millisecond_in_utc() -> None:
    assert plan_id(datetime.fromisoformat("2026-11-23T03:15:00.123999-05:00")) == "20261123T081500.123Z"
