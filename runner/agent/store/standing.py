"""What stands in the way of expiring each snapshot, and what expiring it would free."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .. import clock
from ..answer import Refused
from . import lock, saved
from .layout import Store
from .pins import Pin, pins


def standing(store: Store, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each snapshot the fields `pinned_until`, `pinned_why`, `being_read`, `freed_bytes` and
    `freed_inodes` of `Snapshot` that are known. Reads only.
    """
    read = _being_read(store, names)
    pinned = _pins(store)
    gains = saved.oldest(store)
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        about: dict[str, Any] = {"being_read": name in read}
        if name in pinned:
            about["pinned_until"] = clock.text(pinned[name].until)
            about["pinned_why"] = pinned[name].why
        if name in gains:
            about["freed_bytes"] = gains[name].bytes
            about["freed_inodes"] = gains[name].inodes
        found[name] = about
    return found


def _pins(store: Store) -> dict[str, Pin]:
    # A file that cannot be understood is not this reading's matter: `expire` refuses until it is corrected.
    try:
        return pins(store)
    except (Refused, OSError):
        return {}


def _being_read(store: Store, names: Sequence[str]) -> frozenset[str]:
    try:
        descriptor = os.open(store.lock, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return frozenset()
    try:
        return frozenset(name for name in names if lock.held_by(descriptor, lock.byte_of(name)) is not None)
    finally:
        os.close(descriptor)
