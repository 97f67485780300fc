"""Counting in bounded memory: what comes often is never lost, whoever chooses the names."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from runner.agent.access.tally import Table, text


@given(names=st.lists(st.integers(0, 60), max_size=600), most=st.integers(1, 20))
def test_no_count_is_too_large_nor_more_than_short_too_small(names: list[int], most: int) -> None:
    table = Table(most)
    for name in names:
        table.add(b"%d" % name)
    assert table.total == len(names)
    assert table.short <= len(names) / most
    for name, times in Counter(names).items():
        assert times - table.short <= table.of(b"%d" % name) <= times
    assert len(table.names()) <= 2 * most


def test_few_names_are_counted_exactly() -> None:
    table = Table(10)
    for number in range(20):
        table.add((b"karl", b"%d" % number), number + 1)
    told = table.told(2)
    assert told == {"total": 210, "rows": [["karl", "19", 20], ["karl", "18", 19]], "others": 18, "exact": True}


def test_of_half_a_million_names_the_frequent_one_is_found_and_the_number_is_about_right() -> None:
    table = Table()
    for number in range(200_000):
        table.add(b"%d" % number)
        if number % 50 == 0:
            table.add(b"203.0.113.7")
    told = table.told(1)
    assert told["rows"][0][0] == "203.0.113.7"
    assert abs(told["others"] - 200_000) < 4_000
    assert told["exact"] is False
    assert len(table.names()) <= 2_000


def test_a_name_is_told_as_text_of_bounded_length() -> None:
    assert text(b"caf\xe9") == "caf\\xe9"
    assert text(b"x" * 100) == "x" * 61 + "..."
