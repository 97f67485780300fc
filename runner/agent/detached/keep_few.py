"""Only so many carried commands are remembered, and none is dropped before somebody knows of it."""

from __future__ import annotations

import contextlib
import time

from .. import clock
from ..answer import Refused
from ..store.layout import read_json
from .records import KEPT, Carriage, alive, carriages, folder_of

UNTOLD_DAYS = 90


def keep_few(state: str) -> None:
    """Remove the oldest finished ones beyond 50, but none that nobody was told of within 90 days.

    Folders in which nothing was begun go after a day.
    """
    finished = [place for place in carriages(state) if not alive(place)]
    long_ago = time.time_ns() - UNTOLD_DAYS * 86400 * 10**9
    for place in finished[KEPT:]:
        if place.told.exists() or _time(read_json(place.began).get("started")) < long_ago:
            _remove(place)
    for place in _never_begun(state):
        _remove(place)


def _never_begun(state: str) -> list[Carriage]:
    found = []
    with contextlib.suppress(OSError):
        for entry in folder_of(state).iterdir():
            place = Carriage(entry)
            if not place.began.exists() and entry.stat().st_mtime < time.time() - 86400 and not alive(place):
                found.append(place)
    return found


def _time(told: object) -> int:
    try:
        return clock.nanoseconds(str(told))
    except Refused:
        return 0


def _remove(place: Carriage) -> None:
    # What says that it ever began goes last, so that a removal that is cut off is taken up again.
    with contextlib.suppress(OSError):
        for entry in sorted(place.folder.iterdir(), key=lambda each: each == place.began):
            entry.unlink()
        place.folder.rmdir()
