"""`reading`: keep a snapshot from being expired while somebody restores from it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from . import lock
from .arguments import parse
from .layout import Store, open_store, sealed
from .say import BUSY, Refused, emit


def run(argv: Sequence[str]) -> int:
    """Print `{"held": true, "reading": NAME}` and wait for the end of stdin; `expire` refuses NAME until then.

    Any number may read at once. Takes no store lock, writes nothing, and ends with the process.
    """
    path, name = parse(argv, words=2).words
    store = open_store(path)
    _require(store, name)
    try:
        descriptor = os.open(store.lock, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise Refused(f"{store.root} has no lock", "is this a store, and is its disk mounted?") from None
    if not lock.share(descriptor, lock.byte_of(name)):
        raise Refused(f"{name} is being expired now", "choose another snapshot", code=BUSY)
    # Again: it may have been expired between the first look and the lock.
    _require(store, name)
    emit({"held": True, "reading": name})
    sys.stdout.flush()
    with contextlib.suppress(OSError):
        while os.read(0, 65536):
            pass
    return 0


def _require(store: Store, name: str) -> None:
    if name not in sealed(store):
        raise Refused(f"there is no sealed snapshot {name!a}", "`probe` lists those there are")
