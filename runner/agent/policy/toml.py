"""The part of TOML that a policy is written in: tables, texts, numbers, yes and no, lists of texts on one line.

Python has a reader of its own since 3.11 only, and hosts have older ones. What is not in this part is refused, never
guessed at.
"""

from __future__ import annotations

import re
from typing import Any

from ..answer import SHOWN, Refused

_TEXT = r'"[^"\\\x00-\x1f\x7f]*"'
_KEY = rf"(?:[A-Za-z0-9_-]+|{_TEXT})"
_HEADER = re.compile(rf"\[({_KEY}(?:\.{_KEY})*)\]")
_ENTRY = re.compile(rf"({_KEY}) *= *(.*)")
_LIST = re.compile(rf"\[ *(?:{_TEXT} *(?:, *{_TEXT} *)*,? *)?\]")
_REST = re.compile(r" *(?:#.*)?")
_VALUE = re.compile(rf"(?:{_LIST.pattern}|{_TEXT}|[0-9]+|true|false)")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MOST_DIGITS = 9


def parse(text: str) -> dict[str, Any]:
    """The tables of a text. Refused for the first line that is not understood, or says a thing again."""
    whole: dict[str, Any] = {}
    here = whole
    named: set[str] = set()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        stripped = line.strip(" \t")
        if _CONTROL.search(stripped):
            raise _wrong(number, "has a character that is no text")
        if not stripped or stripped.startswith("#"):
            continue
        header = _HEADER.match(stripped)
        if header and _REST.fullmatch(stripped[header.end() :]):
            if header[1] in named:
                raise _wrong(number, "names a table again")
            named.add(header[1])
            here = _table(whole, header[1], number)
            continue
        entry = _ENTRY.fullmatch(stripped)
        value = _VALUE.match(entry[2]) if entry else None
        if not entry or not value or not _REST.fullmatch(entry[2][value.end() :]):
            raise _wrong(number, f"is not understood: {stripped[:SHOWN]!a}")
        key = entry[1].strip('"')
        if key in here:
            raise _wrong(number, f"says {key!a} again")
        here[key] = _value(value[0], number)
    return whole


def _table(whole: dict[str, Any], header: str, number: int) -> dict[str, Any]:
    here = whole
    for key in re.findall(_KEY, header):
        here = here.setdefault(key.strip('"'), {})
        if not isinstance(here, dict):
            raise _wrong(number, f"makes a table of {key}, which is a value")
    return here


def _value(text: str, number: int) -> object:
    if text.startswith("["):
        return [each[1:-1] for each in re.findall(_TEXT, text)]
    if text.startswith('"'):
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    if len(text) > _MOST_DIGITS or (text.startswith("0") and text != "0"):
        raise _wrong(number, f"has no number that counts here: {text[:SHOWN]}")
    return int(text)


def _wrong(number: int, what: str) -> Refused:
    return Refused(f"line {number} of the policy {what}", "correct it on this host; see docs/trust.md")
