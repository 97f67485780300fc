"""`newest`: what guards ask about a store."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .arguments import parse
from .layout import nearest, open_store, partials, sealed
from .say import emit


def run(argv: Sequence[str]) -> int:
    """Print the newest sealed snapshot, how many there are, and how much room is free; reads only.

    Percentages are of what the caller may use (root also the reserve), to two places, rounded down;
    100 where a filesystem has no fixed number of inodes.
    """
    store = open_store(parse(argv, words=1).words[0])
    counted = sealed(store)
    space = os.statvfs(nearest(store.root))
    free = space.f_bfree if os.geteuid() == 0 else space.f_bavail
    emit(
        {
            "newest": counted[-1] if counted else "",
            "sealed": len(counted),
            "partials": len(partials(store)),
            "free_percent": _percent(free, space.f_blocks),
            "free_inodes_percent": _percent(space.f_ffree, space.f_files),
        }
    )
    return 0


def _percent(part: int, whole: int) -> float:
    return part * 10000 // whole / 100 if whole else 100.0
