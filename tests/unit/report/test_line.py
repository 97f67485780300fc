"""Lines that are folded for a terminal: nothing is lost, nothing goes over, what follows stands under its column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report.line import Table, aligned, folded, line, plain


def shown(text: str, width: int) -> list[str]:
    return plain(folded(line(text), width)).splitlines()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("  begin  it  make a new folder", ["  begin  it  make a new", "             folder"]),
        ("  * one two three four five six", ["  * one two three four five", "    six"]),
        ("seven words of one line and no more", ["seven words of one line and", "no more"]),
        ("  note  see /a/path/that/is/longer/than/any/line it", ["  note  see", "        /a/path/that/is/longer/than/any/line", "        it"]),
        ("short", ["short"]),
    ],
)  # fmt: skip
def test_a_line_is_broken_at_blanks_and_goes_on_under_its_last_column(text: str, lines: list[str]) -> None:
    assert shown(text, 28) == lines


@given(words=st.lists(st.sampled_from(["a", "word", "longer-one", " ", "  "]), max_size=40))
def test_folding_loses_no_word_and_keeps_to_the_width(words: list[str]) -> None:
    text = " ".join(words)
    parts = shown(text, 40)
    assert " ".join(parts).split() == text.split()
    assert all(len(part) <= 40 for part in parts)


def test_a_command_is_never_folded_and_a_colour_goes_on() -> None:
    command = line("   ", ("$ rsync --archive " + "x" * 60, "command"))
    assert folded(command, 40) == (command,)
    first, second = folded(line(("dim", "dim"), " ", ("one two three", "warn")), 12)
    assert (first, second) == ((("dim", "dim"), (" ", ""), ("one two", "warn")), (("three", "warn"),))


def test_a_table_in_a_pipe_has_its_cells_under_one_another() -> None:
    table = Table(head=("job", "files", "what"), rows=(("papio", "7", "[red]"), ("x", "1,234", "")), right=(1,))
    assert plain(aligned(table)) == "  job    files  what\n  papio      7  [red]\n  x      1,234\n"
