"""How wide the columns of a table are where there is room for all of it, and where there is not."""

from __future__ import annotations

from runner.cli.terminal.table import widths
from runner.report.line import Table

TABLE = Table(head=("job", "what"), rows=(("backup-papio", "sealed one"), ("x", "two words more")))


def test_where_there_is_room_each_column_is_as_wide_as_its_widest_cell() -> None:
    assert widths(TABLE, 80) == ((12, 14), 2)
    assert widths(TABLE, 28) == ((12, 14), 2)


def test_the_gap_gives_way_first_then_the_widest_column_between_words() -> None:
    assert widths(TABLE, 27) == ((12, 14), 1)
    assert widths(TABLE, 20) == ((12, 7), 1)


def test_no_word_is_broken_for_it() -> None:
    assert widths(TABLE, 18) is None


def test_a_table_without_rows_is_as_wide_as_its_heading() -> None:
    assert widths(Table(head=("job", "what"), rows=()), 80) == ((3, 4), 2)


def test_wide_letters_count_twice() -> None:
    assert widths(Table(head=("x",), rows=(("\u65e5\u672c",),)), 80) == ((4,), 2)


def test_a_number_with_its_unit_and_a_whole_cell_are_not_broken_and_their_heading_is() -> None:
    rows = (("Sun 29 Nov 17:26", "292.0 KiB", "one and another"),)
    table = Table(head=("started", "new in all", "jobs"), rows=rows, right=(1,), whole=(0,))
    assert widths(table, 36) == ((16, 9, 9), 1)
    assert widths(table, 33) is None
