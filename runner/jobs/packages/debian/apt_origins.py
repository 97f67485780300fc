"""Which versions an archive for security has had, though a later one from elsewhere is installed instead of them.

A point release takes a fix over and may mend it once more: the version to come is then not labelled as a
security update, and the one it takes the place of is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FILE = re.compile(r" *-?[0-9]+ (?P<place>\S.*)")
# Label, archive (suite) and codename, as `apt-cache policy` writes them.
_NAMES = ("l", "a", "n")


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
