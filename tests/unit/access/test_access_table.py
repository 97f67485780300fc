"""Counting in bounded memory: what comes often is never lost, whoever chooses the names."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from runner.agent.access.contract import AccessRow, AccessTable
from runner.agent.access.tally import NameCounts, text


@given(names=st.lists(st.integers(0, 60), max_size=600), most=st.integers(1, 20))
def test_no_count_is_too_large_nor_more_than_short_too_small(names: list[int], most: int) -> None:
    counts = NameCounts(("user",), most)
    for name in names:
        counts.add(b"%d" % name)
    assert counts.total == len(names)
    assert counts.short <= len(names) / most
    for name, times in Counter(names).items():
        assert times - counts.short <= counts.of(b"%d" % name) <= times
    assert len(counts.names()) <= 2 * most


def test_few_names_are_counted_exactly() -> None:
    counts = NameCounts(("user", "source"), 10)
    for number in range(20):
        counts.add((b"karl", b"%d" % number), number + 1)
    rows = (AccessRow(20, user="karl", source="19"), AccessRow(19, user="karl", source="18"))
    assert counts.table(2) == AccessTable(total=210, rows=rows, others=18, exact=True)


def test_of_half_a_million_names_the_frequent_one_is_found_and_the_number_is_about_right() -> None:
    counts = NameCounts(("source",))
    for number in range(200_000):
        counts.add(b"%d" % number)
        if number % 50 == 0:
            counts.add(b"203.0.113.7")
    first = counts.table(1)
    assert first.rows[0].source == "203.0.113.7"
    assert abs(first.others - 200_000) < 4_000
    assert first.exact is False
    assert len(counts.names()) <= 2_000


def test_a_name_is_shown_as_text_of_bounded_length() -> None:
    assert text(b"caf\xe9") == "caf\\xe9"
    assert text(b"x" * 100) == "x" * 61 + "..."
