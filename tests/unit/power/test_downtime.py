"""How long people are told that an interruption takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.jobs.power.downtime import downtime


def test_five_to_ten_minutes_as_long_as_nobody_knows() -> None:
    assert downtime(()) == (300.0, 600.0)


def test_from_the_last_ones_with_a_reserve_in_whole_minutes() -> None:
    assert downtime((62.0, 45.0, 130.0)) == (60.0, 240.0)
    assert downtime((62.0,), check=3600.0) == (120.0, 3720.0)


@given(st.lists(st.floats(0.1, 1e5), max_size=5), st.floats(0, 1e5))
def test_the_most_is_never_less_than_the_least_nor_than_what_was_measured(took: list[float], check: float) -> None:
    least, most = downtime(took, check)
    assert 60 <= least <= most and most >= max(took, default=0)
    assert least % 60 == most % 60 == 0


def test_what_a_runner_measured_that_went_down_with_the_host_says_nothing() -> None:
    assert downtime((0.2,)) == downtime(())
    assert downtime((0.2, 120.0)) == downtime((120.0,))
