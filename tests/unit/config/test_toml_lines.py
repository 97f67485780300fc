"""The line of each key, whatever way it is written."""

from __future__ import annotations

import tomllib

import pytest

from runner.config.toml_lines import KeyPath, key_lines, line_of

TEXT = r'''# comment with [brackets] and "quotes"
"site".name = 'a # b' # and = more
site."con\u0074roller" = "x\"]\\"

[hosts . papio]   # header
hold = [ # list
  "a", ["]", '"'],
]
after = 1
[hosts.'ot her']
text = """
[not.a.header]
key = 1 \""" still """""
raw = ~~~
'[no]'
key = 2~~~'
inline = { min = 1, deep = { max = [2] } }
last = 2026-11-23T08:15:00Z
[[list]]
x = 1
[[list]]
x = 2
[list.sub]
y = 3
[[list.inner]]
z = 4
[""]
"" = 1
'''.replace("~~~", "'''")

LINES: dict[KeyPath, int] = {
    ("site",): 2,
    ("site", "name"): 2,
    ("site", "controller"): 3,
    ("hosts",): 5,
    ("hosts", "papio"): 5,
    ("hosts", "papio", "hold"): 6,
    ("hosts", "papio", "hold", 0): 7,
    ("hosts", "papio", "hold", 1): 7,
    ("hosts", "papio", "after"): 9,
    ("hosts", "ot her"): 10,
    ("hosts", "ot her", "text"): 11,
    ("hosts", "ot her", "raw"): 14,
    ("hosts", "ot her", "inline"): 17,
    ("hosts", "ot her", "last"): 18,
    ("list",): 19,
    ("list", 0): 19,
    ("list", 0, "x"): 20,
    ("list", 1): 21,
    ("list", 1, "x"): 22,
    ("list", 1, "sub"): 23,
    ("list", 1, "sub", "y"): 24,
    ("list", 1, "inner"): 25,
    ("list", 1, "inner", 0): 25,
    ("list", 1, "inner", 0, "z"): 26,
    ("",): 27,
    ("", ""): 28,
}


def test_each_key_has_the_line_that_it_is_first_written_in() -> None:
    tomllib.loads(TEXT)
    assert key_lines(TEXT) == {(): 1, **LINES}


def test_windows_line_ends_and_a_missing_last_one_change_nothing() -> None:
    assert key_lines(TEXT.replace("\n", "\r\n").rstrip()) == key_lines(TEXT)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("hosts", "ot her", "inline", "deep", "max", 0), 17),
        (("hosts", "papio", "hold", 3), 6),
        (("hosts", "papio", "missing"), 5),
        (("nowhere",), 1),
    ],
)
def test_what_has_no_line_of_its_own_is_in_the_line_of_what_holds_it(path: KeyPath, line: int) -> None:
    assert line_of(path, key_lines(TEXT)) == line


def test_a_text_of_comments_has_no_keys() -> None:
    assert key_lines("# nothing\n\n  # here") == {(): 1}
