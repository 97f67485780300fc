"""How Debian orders versions, and whether one fits a relation; see deb-version(7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cmp_to_key
from itertools import zip_longest

_PART = re.compile(r"(\D*)(\d*)")

_FILE = re.compile(r" *-?[0-9]+ (?P<place>\S.*)")
# Label, archive (suite) and codename, as `apt-cache policy` writes them.
_NAMES = ("l", "a", "n")


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


def is_security(origin: str) -> bool:
    """Whether any of the places a version comes from (`LABEL:SUITE, LABEL:SUITE`) is a security archive."""
    return any(_named_so(part) for place in origin.split(",") for part in place.partition(":")[::2])


def security_places(policy: Iterable[str]) -> frozenset[str]:
    """The lists of security archives, as `apt-cache policy` and `madison` write them (`URI SUITE/PART ARCH ...`)."""
    found, place = set[str](), ""
    for line in policy:
        words = line.strip()
        if words.startswith("release "):
            fields = dict(one.partition("=")[::2] for one in words.removeprefix("release ").split(","))
            if place and any(_named_so(fields.get(name, "")) for name in _NAMES):
                found.add(place)
        elif file := _FILE.fullmatch(line):
            place = file["place"].strip()
        elif not words.startswith("origin "):
            place = ""
    return frozenset(found)


def fixes(madison: Iterable[str], places: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """The versions that those lists have, by name, from what `apt-cache madison` said."""
    found: dict[str, tuple[str, ...]] = {}
    for line in madison:
        name, version, place = ([one.strip() for one in line.split("|", 2)] + ["", ""])[:3]
        if version and place in places:
            found[name] = (*found.get(name, ()), version)
    return found


def _named_so(word: str) -> bool:
    return word.strip().casefold().endswith("-security")
