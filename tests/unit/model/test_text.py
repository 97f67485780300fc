"""Text from outside is made harmless before people see it; numbers and times are put in words."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model.text import count, length, one_line, printable, size

ANY = st.text(st.characters(), max_size=40)
NASTY = "\x00\x07\x08\t\r\x1b\x7f\x85\x9b\xad\u061c\u200b\u200d\u200e\u202a\u202e\u2028\u2029\u2066\u2069\ufeff\U000e0041\ud800\udcff\ue000"


@settings(max_examples=2 * settings().max_examples)
@given(text=ANY | st.text(st.sampled_from(NASTY + "a\n\\"), max_size=20) | st.binary(max_size=40))
def test_nothing_that_controls_or_hides_comes_through(text: str | bytes) -> None:
    shown = printable(text)
    assert all(char == "\n" or unicodedata.category(char)[0] != "C" for char in shown)
    assert not {"\u2028", "\u2029", "\r", "\x1b"} & set(shown)
    shown.encode("utf-8")
    assert printable(shown) == shown
    assert "\n" not in one_line(text)
    assert one_line(one_line(text)) == one_line(text)


@pytest.mark.parametrize("text", ["", "plain", "Grüße, 東京 — ✓", "two\nlines", "a\\x1b", "no\u00a0break", "e\u0301"])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"caf\xe9", "caf\\xe9"),
        ("caf\udce9", "caf\\xe9"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\tb\rc", "a\\tb\\rc"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        (b"two\nlines", "two\nlines"),
    ],
)
def test_the_rest_is_spelt(text: str | bytes, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (1048575, "1.0 MiB"), (2**30, "1.0 GiB"),
     (12.3 * 2**20, "12.3 MiB"), (5 * 2**50, "5.0 PiB"), (5000 * 2**50, "5000.0 PiB"), (-2048, "-2.0 KiB")],
)  # fmt: skip
def test_sizes_in_words(number: float, words: str) -> None:
    assert size(number) == words


@pytest.mark.parametrize(
    ("span", "words"),
    [(0, "0.0 s"), (0.44, "0.4 s"), (59, "59 s"), (59.7, "1 min"), (192, "3 min 12 s"), (3600, "1 h"),
     (3661, "1 h 1 min"), (86399, "23 h 59 min"), (timedelta(days=1), "1 day"), (timedelta(days=2, hours=4), "2 days 4 h"),
     (timedelta(days=120, hours=4), "120 days")],
)  # fmt: skip
def test_durations_in_words(span: float | timedelta, words: str) -> None:
    assert length(span) == words


def test_counts_in_words() -> None:
    assert [count(1, "file"), count(3214, "file"), count(0, "copy", "copies")] == ["1 file", "3,214 files", "0 copies"]
