"""What of this host a verb does not look at for whoever it works for: set once by `serve`, asked by those that look.

As an rsync that is begun for a key sees the stores of all keys as empty folders, so do they. Where nobody serves,
nothing is hidden.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

_places: set[bytes] = set()


def hide(paths: Iterable[str]) -> None:
    """From now on this process sees nothing in these folders."""
    _places.update(os.fsencode(os.path.realpath(path)).rstrip(b"/") for path in paths)


def places() -> tuple[str, ...]:
    """These folders."""
    return tuple(sorted(map(os.fsdecode, _places)))


def covers(path: bytes) -> bool:
    """Whether what is at `path` is one of these folders, or in one of them, wherever links on the way lead."""
    return bool(_places) and _inside(os.path.realpath(path))


def covers_in(path: bytes) -> bool:
    """Whether `path`, of which the last name is not followed, is in one of these folders."""
    if not _places:
        return False
    return _inside(os.path.realpath(os.path.dirname(path)))  # noqa: PTH120  (bytes)


def below(top: bytes) -> frozenset[bytes]:
    """Where these folders are below the folder `top`, relative to it."""
    if not _places:
        return frozenset()
    above = os.path.realpath(top).rstrip(b"/") + b"/"
    return frozenset(place[len(above) :] for place in _places if place.startswith(above))


def _inside(real: bytes) -> bool:
    return any(real == place or real.startswith(place + b"/") for place in _places)
