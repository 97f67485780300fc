"""How much room a store's filesystem has, for guards."""

from __future__ import annotations

import os

from .layout import Store, nearest


def room(store: Store) -> dict[str, float]:
    """Free bytes and inodes, and what percentage of all that is; statvfs(3).

    What the caller may use: root also the reserve. Percentages to two places, rounded down; 100 where
    a filesystem has no fixed number of inodes.
    """
    space = os.statvfs(nearest(store.root))
    free = space.f_bfree if os.geteuid() == 0 else space.f_bavail
    return {
        "free_bytes": free * space.f_frsize,
        "free_inodes": space.f_ffree,
        "free_percent": _percent(free, space.f_blocks),
        "free_inodes_percent": _percent(space.f_ffree, space.f_files),
    }


def _percent(part: int, whole: int) -> float:
    return part * 10000 // whole / 100 if whole else 100.0
