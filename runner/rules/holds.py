"""Which packages the hold patterns of jobs.toml mean on a host, as it is today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a package's name fits one of the patterns, with or without its architecture."""
    names = (name, name.partition(":")[0])
    return any(fnmatchcase(one, pattern) for one in names for pattern in patterns)


def wanted(patterns: Sequence[str], installed: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The installed packages that should be held, sorted.

    Those are the ones whose name fits, and each metapackage that would bring the next of them: it depends on
    such packages only, each at an exact version. `installed` maps every name to what it so depends on.
    """
    named = {name for name in installed if fits(name, patterns)}
    bringing = {
        name for name, brings in installed.items() if brings and all(fits(one, patterns) for one in brings)
    }
    return tuple(sorted(named | bringing))
