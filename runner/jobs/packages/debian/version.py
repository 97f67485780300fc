"""How Debian orders versions, and whether one fits a relation; see deb-version(7)."""

from __future__ import annotations

import re
from functools import cmp_to_key
from itertools import zip_longest

_PART = re.compile(r"(\D*)(\d*)")


def compare(one: str, other: str) -> int:
    """Below 0 if `one` is the older version, 0 if they are equal, above 0 if it is the newer."""
    mine, theirs = _split(one), _split(other)
    if mine[0] != theirs[0]:
        return mine[0] - theirs[0]
    return _order(mine[1], theirs[1]) or _order(mine[2], theirs[2])


def fits(version: str, relation: str, bound: str) -> bool:
    """Whether `version` stands in `relation` (<<, <=, =, >=, >>) to `bound`; without a relation any does."""
    if not relation:
        return True
    found = compare(version, bound)
    match relation:
        case "<<":
            return found < 0
        case "<=":
            return found <= 0
        case "=":
            return found == 0
        case ">=":
            return found >= 0
        case _:
            return found > 0


key = cmp_to_key(compare)


def _split(version: str) -> tuple[int, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return int(epoch) if epoch.isdecimal() else 0, upstream, revision


def _order(one: str, other: str) -> int:
    pairs = zip_longest(_PART.findall(one), _PART.findall(other), fillvalue=("", ""))
    for (mine, my_number), (theirs, their_number) in pairs:
        for char, against in zip_longest(mine, theirs, fillvalue=""):
            if found := _weight(char) - _weight(against):
                return found
        if found := int(my_number or 0) - int(their_number or 0):
            return found
    return 0


def _weight(char: str) -> int:
    # A tilde comes before the end, the end before letters, letters before everything else.
    if char == "~":
        return -1
    if not char:
        return 0
    return ord(char) if char.isalpha() else ord(char) + 256
