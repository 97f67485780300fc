"""What makes a new dump doubtful: it is good in itself, but much smaller than those before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_RECENT = 7
_WORDS = {"bytes": "bytes", "objects": "objects", "rows": "rows"}


def doubts(new: Mapping[str, Any], before: Sequence[Mapping[str, Any]], max_shrink: float) -> list[str]:
    """In words, what of the `new` record has shrunk by more than `max_shrink` percent.

    Against the one before, or most of the last seven: a database that lost half its rows is doubted for
    some days, not only once, and then it goes on by itself. `before` is oldest first.
    """
    said = []
    for word, name in _WORDS.items():
        past = [amount(each, word) for each in before][-_RECENT:]
        usual = max(past[-1], sorted(past)[len(past) // 2]) if past else 0
        if amount(new, word) * 100 < usual * (100 - max_shrink):
            said.append(f"{amount(new, word):,} {name}, {usual:,} before")
    return said


def amount(record: Mapping[str, Any], word: str) -> int:
    """A number of a record; `rows` are those of all its tables."""
    if word == "rows":
        return sum(int(each) for each in dict(record.get("tables") or {}).values())
    return int(record.get(word) or 0)
