"""What Debian takes for a name and a version, how versions are ordered, and whether one fits; see deb-version(7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import eq, ge, gt, le, lt

from runner.model.text import digit_order, whole_number

# What dpkg itself takes for a name, and for a version (deb-version(7)). Anything else is no package, whoever says so.
NAME, VERSION = r"[A-Za-z0-9][A-Za-z0-9+._-]*(?::[a-z0-9-]+)?", r"[A-Za-z0-9][A-Za-z0-9.+:~_-]*"
# What stands before the next number, character by character, and that number.
Parts = tuple[tuple[tuple[int, ...], tuple[int, str]], ...]
_RELATIONS = {"<<": lt, "<=": le, "=": eq, ">=": ge, ">>": gt}
_PART = re.compile(r"([^0-9]*)([0-9]*)")
_KERNEL = re.compile(r"linux-image-(\d.*?)(?:-unsigned)?(?::[a-z0-9]+)?")


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
    return any(is_named_for_security(part) for place in origin.split(",") for part in place.partition(":")[::2])


def is_named_for_security(word: str) -> bool:
    """Whether an archive of that label, suite or codename is one for security updates."""
    return word.strip().casefold().endswith("-security")
