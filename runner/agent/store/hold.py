"""`hold`: take the store's lock and keep it until stdin ends or the process dies."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import clock, durable
from ..answer import BUSY, Refused, emit
from ..arguments import DISK, parse
from . import disk, lock
from .layout import open_store

ROOM = 4096


def run(argv: Sequence[str]) -> int:
    """Print `{"held": true}` and wait for the end of stdin; exit 75 with the holder if taken.

    Makes the store's folder (its parents too where no disk is declared) and `.runner` if missing,
    but nothing at all when the declared disk is not there.
    """
    call = parse(argv, words=1, one=("plan", "who", *DISK))
    if not call.one["plan"]:
        raise Refused("--plan is missing", "say for which plan the lock is taken")
    store = open_store(call.words[0])
    declared = disk.Declared(call.one["mount"], call.one["uuid"].lower())
    disk.require(store, declared)
    if declared.mount:
        durable.make_folder(store.root)
    else:
        store.root.mkdir(parents=True, exist_ok=True)
    durable.make_folder(store.runner)
    descriptor = take(store.lock)
    if descriptor is None or lock.held_by(descriptor, lock.WORK) is not None:
        raise Refused(
            "the store's lock is held by another run",
            "wait until it has ended",
            code=BUSY,
            holder=lock.holder(store.lock) or {},
        )
    keep(descriptor, call.one["plan"], call.one["who"])
    return 0


def take(path: Path) -> int | None:
    """Take byte 0 of the lock at `path`, made if missing; None if somebody else has it.

    Whether a verb is at work (byte 1) is to be looked at after that.
    """
    # The old text goes before the look at byte 1: a verb of the former holder that takes byte 1 later
    # reads blanks and stops, one that took it earlier is seen. Always the same length in place: that
    # works on a full disk too, where somebody must be able to hold the store in order to free room.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    if not lock.take(descriptor, lock.HOLD):
        os.close(descriptor)
        return None
    os.pwrite(descriptor, b" " * ROOM, 0)
    return descriptor


def keep(descriptor: int, plan: str, who: str) -> None:
    """Say in the lock for whom it is held, print `{"held": true}`, and wait for the end of stdin."""
    about = {"plan": plan, "who": who, "pid": os.getpid(), "since": clock.now()}
    os.pwrite(descriptor, json.dumps(about).encode().ljust(ROOM)[:ROOM], 0)
    os.fsync(descriptor)
    emit({"held": True})
    sys.stdout.flush()
    with contextlib.suppress(OSError):
        while os.read(0, 65536):
            pass
