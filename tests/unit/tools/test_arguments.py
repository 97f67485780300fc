"""The command line of a verb: what does not fit its options is refused."""

from __future__ import annotations

from typing import NamedTuple, get_type_hints

import pytest

from runner.agent.answer import Refused
from runner.agent.arguments import Count, Last, PositiveWord, Rest, Word, argv, parse_as


class Plain(NamedTuple):
    """Words, and a flag."""

    store: Word
    number: PositiveWord
    lower: bool = False
    least: Count = 0


class Open(NamedTuple):
    """Words that may be anything."""

    store: Word
    last: Last
    rest: Rest = ()


@pytest.mark.parametrize(
    "words",
    [
        ("store",), ("store", "3", "more"), ("store", "3", "--", "more"), ("store", "0"), ("store", "3", "--lower=yes"),
        ("store", "3", "--lower="), ("store", "3", "--least"), ("store", "3", "--least=-1"), ("store", "3", "--most=1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(Refused):
        parse_as(Plain, words)


def test_what_fits_is_read() -> None:
    assert parse_as(Plain, ("store", "3", "--lower", "--least=4")) == Plain("store", 3, True, 4)
    assert parse_as(Plain, ("store", "1")) == Plain("store", 1)


def test_after_two_dashes_everything_is_a_word() -> None:
    options = Open("store", "--least=4", ("--", "-x"))
    assert argv("verb", options) == ("verb", "store", "--", "--least=4", "--", "-x")
    assert parse_as(Open, argv("verb", options)[1:]) == options
    assert set(get_type_hints(Open)) == {"store", "last", "rest"}
