"""How Debian orders versions, and whether one fits a relation; see deb-version(7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cmp_to_key
from itertools import zip_longest

_PART = re.compile(r"(\D*)(\d*)")
_KERNEL = re.compile(r"linux-image-(\d.*?)(?:-unsigned)?(?::[a-z0-9]+)?")

_FILE = re.compile(r" *-?[0-9]+ (?P<place>\S.*)")
# Label, archive (suite) and codename, as `apt-cache policy` writes them.
_NAMES = ("l", "a", "n")


def compare(left: str, right: str) -> int:
    """Below 0 if `left` is the older version, 0 if they are equal, above 0 if it is the newer."""
    mine, theirs = _split(left), _split(right)
    if mine[0] != theirs[0]:
        return mine[0] - theirs[0]
    return _order(mine[1], theirs[1]) or _order(mine[2], theirs[2])


def fits(version: str, relation: str, bound: str) -> bool:
    """Whether `version` stands in `relation` (<<, <=, =, >=, >>) to `bound`; without a relation any does."""
    if not relation:
        return True
    order = compare(version, bound)
    match relation:
        case "<<":
            return order < 0
        case "<=":
            return order <= 0
        case "=":
            return order == 0
        case ">=":
            return order >= 0
        case _:
            return order > 0


def newest_kernel(names: Iterable[str]) -> str:
    """The newest release among the names of kernel packages; "" where none names one, as metapackages do not."""
    releases = (kernel[1] for kernel in map(_KERNEL.fullmatch, names) if kernel)
    return max(releases, key=cmp_to_key(compare), default="")


def _split(version: str) -> tuple[int, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return int(epoch) if epoch.isdecimal() else 0, upstream, revision


def _order(left: str, right: str) -> int:
    pairs = zip_longest(_PART.findall(left), _PART.findall(right), fillvalue=("", ""))
    for (mine, my_number), (theirs, their_number) in pairs:
        for char, against in zip_longest(mine, theirs, fillvalue=""):
            if order := _weight(char) - _weight(against):
                return order
        if order := int(my_number or 0) - int(their_number or 0):
            return order
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
    places, place = set[str](), ""
    for line in policy:
        text = line.strip()
        if text.startswith("release "):
            fields = dict(field.partition("=")[::2] for field in text.removeprefix("release ").split(","))
            if place and any(_named_so(fields.get(name, "")) for name in _NAMES):
                places.add(place)
        elif file := _FILE.fullmatch(line):
            place = file["place"].strip()
        elif not text.startswith("origin "):
            place = ""
    return frozenset(places)


def fixes(madison: Iterable[str], places: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """The versions that those lists have, by name, from the output of `apt-cache madison`."""
    versions: dict[str, tuple[str, ...]] = {}
    for line in madison:
        name, version, place = ([field.strip() for field in line.split("|", 2)] + ["", ""])[:3]
        if version and place in places:
            versions[name] = (*versions.get(name, ()), version)
    return versions


def _named_so(word: str) -> bool:
    return word.strip().casefold().endswith("-security")
