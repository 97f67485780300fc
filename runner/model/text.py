"""Text for people: what came from outside, made harmless; sizes, times and counts in words."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_DIGITS = 18
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def printable(text: bytes | str) -> str:
    """`text` with everything escaped that a terminal, a mail or a page could take as more than text.

    Line feeds stay. Bytes that are not UTF-8 become `\\xff`.
    """
    known = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
    if known.isascii() and known.isprintable():
        return known
    return "".join(char if char == "\n" or _harmless(char) else _escaped(char) for char in known)


def excerpt(value: object, most: int = 2000) -> str:
    """What a host answers where a text belongs, whatever it is: `printable`, and cut where it is longer than `most`."""
    text = str(value)
    return printable(text) if len(text) <= most else f"{printable(text[:most])}..."


def one_line(text: bytes | str) -> str:
    """`printable`, with line feeds escaped too: for a name, or a subject."""
    return printable(text).replace("\n", "\\n")


def _harmless(char: str) -> bool:
    # Cc, Cf, Cs, Zl, Zp: controls, invisible and direction-changing marks, lone surrogates, separators.
    return (
        char.isascii()
        and char.isprintable()
        or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    )


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return (
        char.encode("unicode_escape", "backslashreplace").decode("ascii")
        if code < 0xD800 or code > 0xDFFF
        else f"\\u{code:04x}"
    )


def whole_number(digits: str) -> int | None:
    """The whole number that a program printed in plain digits; None for anything else, and for more than 18 of them."""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS else None


def digit_order(digits: str) -> tuple[int, str]:
    """A key by which digits sort as numbers do, however many there are."""
    plain = digits.lstrip("0")
    return len(plain), plain


def size(number: float) -> str:
    """Bytes in words: `0 B`, `12.3 MiB`."""
    value = float(number)
    for unit in _UNITS:
        if abs(value) < (1024 if unit == "B" else 1023.95) or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return ""


def count(number: int, what: str, many: str = "") -> str:
    """`1 file`, `3,214 files`; `many` where the plural is not `what` with an s."""
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def remedied(error: str, do: str) -> str:
    """An error with what to do about it, in one sentence."""
    return f"{error}; {do}" if do else error


def length(span: timedelta | float) -> str:
    """A duration in words, two units at most: `0.4 s`, `3 min 12 s`, `2 days 4 h`.

    A clock that was put back meanwhile makes none less than nothing.
    """
    seconds = max(span.total_seconds() if isinstance(span, timedelta) else float(span), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min" if whole % 3600 // 60 else f"{whole // 3600} h"
    days, hours = whole // 86400, whole % 86400 // 3600
    return f"{count(days, 'day')} {hours} h" if hours and days < 10 else count(days, "day")


def age(then: datetime, now: datetime) -> str:
    """How long ago something was: `2 h 5 min old`; `2 h 5 min ahead of the clock` where it is to come."""
    return f"{length(now - then)} old" if then <= now else f"{length(then - now)} ahead of the clock"


def utc(at: datetime) -> str:
    """A time for programs, the same in every `--json`: `2026-11-30T08:15:00Z`."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def minute(at: datetime, zone: str) -> str:
    """A time to the minute, as the clocks of `zone` show it: `2026-11-30 03:15 EST`."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"
