"""That a snapshot expired is written before it goes, and on a disk that is full once there is room again."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator
from typing import Any

from ..policy import limits
from ..store import aside
from ..store.layout import StoreFolder, is_name, sealed
from . import chain
from .line import ADOPTED, BACK, EXPIRED, INHERITED, MANIFEST, SEALED, UNDONE, parsed

_FULL = (errno.ENOSPC, errno.EDQUOT)
_COUNTS = (ADOPTED, SEALED, MANIFEST, INHERITED, BACK)


def expired(store: StoreFolder, name: str) -> None:
    """Write that `name` expires, and that it was the newest of its job if so.

    A disk that is too full even for that must not stay so: then `late` does it. But not where it is counted: OSError,
    and it does not expire.
    """
    from ..policy import newest  # noqa: PLC0415  (as this is loaded: only where something expires)

    if limits.keeps_count(store):
        newest.leave(store, name)
        chain.add(store, EXPIRED, name)
        return
    with _unless_full():
        newest.leave(store, name)
    with _unless_full():
        chain.add(store, EXPIRED, name)


def late(store: StoreFolder, names: Iterable[str]) -> tuple[str, ...]:
    """Write it of those in the trash of which nobody could; those of which that still cannot be done are returned."""
    gone = {name for name in names if is_name(name)}.difference(sealed(store), aside.names(store))
    unwritten = _unwritten(store, gone) if gone else []
    for number, name in enumerate(unwritten):
        written = False
        with _unless_full():
            chain.add(store, EXPIRED, name)
            written = True
        if not written:
            return tuple(unwritten[number:])
    return ()


def _unwritten(store: StoreFolder, names: set[str]) -> list[str]:
    last: dict[str, tuple[str, ...]] = {}
    with contextlib.suppress(OSError, chain.Damaged), chain.opened(store) as stream:
        for raw in chain.raw_lines(stream):
            line = parsed(raw)
            if line and line.name in names:
                before = last.get(line.name, ())
                last[line.name] = before[:-1] if line.event == UNDONE else (*before[-1:], line.event)
    return sorted(name for name, events in last.items() if events and events[-1] in _COUNTS)


@contextlib.contextmanager
def _unless_full() -> Iterator[Any]:
    try:
        yield
    except OSError as problem:
        if problem.errno not in _FULL:
            raise
