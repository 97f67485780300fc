"""What of this host a verb does not look at for whoever it works for: set once by `serve`, asked by those that look.

As an rsync that is begun for a key sees what it may read, and the stores of all keys as empty folders, so do they.
Where nobody serves, nothing is hidden.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..answer import Denied, Refused

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_places: set[bytes] = set()
# One for all sources, which may be none.
_sources: list[tuple[str, ...]] = []


def hide(paths: Iterable[str]) -> None:
    """From now on this process sees nothing in these folders."""
    _places.update(os.fsencode(os.path.realpath(path)).rstrip(b"/") for path in paths)


def show(sources: Iterable[str]) -> None:
    """From now on this process opens no source but what is in these folders."""
    _sources[:] = [tuple(sources)]


def places() -> tuple[str, ...]:
    """These folders."""
    return tuple(sorted(map(os.fsdecode, _places)))


def opened(top: bytes) -> int:
    """The folder `top` of a source as a descriptor. Raises OSError.

    Denied where it is none of what is shown, or hidden, wherever links on the way lead; of these only root's own are
    followed, where nobody else could have made them. What is open is looked at, so nothing can be swapped meanwhile.
    """
    if not _sources:
        return os.open(top, _FOLDER)
    here = _followed(os.fsdecode(top))
    from .verdict import DO  # noqa: PLC0415  (as below)

    real = _place(here)
    if _inside(real) or not any(_is_in(real, each) for each in _shown()):
        os.close(here)
        raise Denied(f"{os.fsdecode(top)[:100]!a} is not among what the key may read here", DO)
    return here


def below(top: int) -> frozenset[bytes]:
    """Where these folders are below the open folder `top`, relative to it."""
    if not _places:
        return frozenset()
    above = _place(top).rstrip(b"/") + b"/"
    return frozenset(place[len(above) :] for place in _places if place.startswith(above))


def _shown() -> Iterable[bytes]:
    for source in _sources[0]:
        try:
            here = _followed(source)
        except (OSError, Refused):
            continue
        yield _place(here)
        os.close(here)


def _followed(path: str) -> int:
    from ..confined import resolve  # noqa: PLC0415  (only where a key is behind it)

    try:
        place = resolve.opened(path)
    except Refused as refused:
        raise Denied(refused.error, refused.do) from None
    try:
        return os.open(".", _FOLDER, dir_fd=place)
    finally:
        os.close(place)


def _place(folder: int) -> bytes:
    return os.fsencode(Path(f"/proc/self/fd/{folder}").readlink())


def _inside(real: bytes) -> bool:
    return any(_is_in(real, place) for place in _places)


def _is_in(real: bytes, place: bytes) -> bool:
    return real == place or real.startswith(place.rstrip(b"/") + b"/")
