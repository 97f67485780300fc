"""Patterns of names of packages, as jobs.toml and the families give them."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def fits(name: str, patterns: Iterable[str]) -> bool:
    """Whether a package's name fits one of the patterns, with or without an architecture after a colon."""
    names = (name, name.partition(":")[0])
    return any(fnmatchcase(each, pattern) for each in names for pattern in patterns)
