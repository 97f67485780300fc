"""How Debian orders versions, and whether one fits a relation; see deb-version(7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import eq, ge, gt, le, lt

from runner.model.text import digit_order, whole_number

# What stands before the next number, character by character, and that number.
Parts = tuple[tuple[tuple[int, ...], tuple[int, str]], ...]
_RELATIONS = {"<<": lt, "<=": le, "=": eq, ">=": ge, ">>": gt}
_PART = re.compile(r"([^0-9]*)([0-9]*)")
_KERNEL = re.compile(r"linux-image-(\d.*?)(?:-unsigned)?(?::[a-z0-9]+)?")

_FILE = re.compile(r" *-?[0-9]+ (?P<place>\S.*)")
# Label, archive (suite) and codename, as `apt-cache policy` writes them.
_NAMES = ("l", "a", "n")


def key(version: str) -> tuple[int, Parts, Parts]:
    """A key by which versions sort: by epoch, upstream version, revision."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return (whole_number(epoch) or 0, _parts(upstream), _parts(revision))


def fits(version: str, relation: str, bound: str) -> bool:
    """Whether `version` stands in `relation` (<<, <=, =, >=, >>) to `bound`; without a relation any does."""
    return not relation or _RELATIONS[relation](key(version), key(bound))


def newest_kernel(names: Iterable[str]) -> str:
    """The newest release among the names of kernel packages; "" where none names one, as metapackages do not."""
    releases = (kernel[1] for kernel in map(_KERNEL.fullmatch, names) if kernel)
    return max(releases, key=key, default="")


def _parts(text: str) -> Parts:
    # The last part is always empty, and is the end that a shorter text has there.
    return tuple((tuple(map(_weight, chars)) + (0,), digit_order(digits)) for chars, digits in _PART.findall(text))


def _weight(char: str) -> int:
    # A tilde comes before the end, which is 0, letters before everything else.
    return -1 if char == "~" else ord(char) if char.isalpha() else ord(char) + 256


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
