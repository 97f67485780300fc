"""Which packages the hold patterns of jobs.toml mean on a host, as it is today."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

_VERSION = re.compile(r"[0-9]\.[0-9]")


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a package's name fits one of the patterns, with or without its architecture."""
    names = (name, name.partition(":")[0])
    return any(fnmatchcase(one, pattern) for one in names for pattern in patterns)


def wanted(patterns: Sequence[str], installed: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The installed packages that should be held, sorted.

    Those are the ones whose name fits, and each metapackage that would bring the next of them: all that it
    depends on is at an exact version, fits, and has a version in its very name, so that the next one has
    another name. `installed` maps every name to what it so depends on.
    """
    named = {name for name in installed if fits(name, patterns)}
    bringing = {
        name
        for name, brings in installed.items()
        if brings and all(_VERSION.search(one) and fits(one, patterns) for one in brings)
    }
    return tuple(sorted(named | bringing))
