"""A count by name in bounded memory, however many names there are."""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable
from typing import Any

BITS = 1 << 20


class Table:
    """Counts names; those that come often are never lost, whoever chooses the names (Misra and Gries 1982).

    While there are at most `2 * most` names all counts are exact. Beyond that each may be too small by up to
    `short`, which is never more than `total / most`.
    """

    def __init__(self, most: int = 1000) -> None:
        self.total = 0
        self.short = 0
        self._most = most
        self._counts: dict[Hashable, int] = {}
        self._seen = bytearray()

    def add(self, name: Hashable, times: int = 1) -> None:
        """Count `name`."""
        self.total += times
        counts = self._counts
        counts[name] = counts.get(name, 0) + times
        if self._seen:
            self._mark(name)
        if len(counts) > 2 * self._most:
            self._trim()

    def of(self, name: Hashable) -> int:
        """How often `name` came, at least."""
        return self._counts.get(name, 0)

    def names(self) -> tuple[Any, ...]:
        """The names that are counted."""
        return tuple(self._counts)

    def distinct(self) -> int:
        """How many names there were; within a few percent where it is not exact."""
        if not self._seen:
            return len(self._counts)
        empty = BITS - sum(bin(byte).count("1") for byte in self._seen)
        return max(round(-BITS * math.log(max(empty, 1) / BITS)), len(self._counts))

    def told(self, rows: int) -> dict[str, Any]:
        """The names that came most often as JSON: `rows` of [name..., times], and what is left out.

        A name is bytes or a tuple of them. `others` is how many names are not among them, `exact` whether
        all these numbers are.
        """
        first = heapq.nsmallest(rows, self._counts.items(), key=_order)
        return {
            "total": self.total,
            "rows": [
                [*(text(part) for part in (name if isinstance(name, tuple) else (name,))), times]
                for name, times in first
            ],
            "others": max(self.distinct() - len(first), 0),
            "exact": not self._seen,
        }

    def _trim(self) -> None:
        if not self._seen:
            self._seen = bytearray(BITS // 8)
            for name in self._counts:
                self._mark(name)
        least = heapq.nlargest(self._most + 1, self._counts.values())[-1]
        self._counts = {name: count - least for name, count in self._counts.items() if count > least}
        self.short += least

    def _mark(self, name: Hashable) -> None:
        # Python's hash of bytes has a secret of the process in it: nobody can choose names that collide.
        place = hash(name) & (BITS - 1)
        self._seen[place >> 3] |= 1 << (place & 7)


def _order(item: tuple[Hashable, int]) -> tuple[int, str]:
    return -item[1], repr(item[0])


def text(name: bytes, most: int = 64) -> str:
    """A name from a log as text, cut off after `most` characters; bytes that are not UTF-8 become `\\xff`."""
    known = name.decode("utf-8", "backslashreplace")
    return known if len(known) <= most else known[: most - 3] + "..."
