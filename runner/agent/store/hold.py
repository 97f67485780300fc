"""`hold`: take the store's lock and keep it until stdin ends; `release`, `take-over`: end another's hold."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from .. import clock, durable
from ..answer import BUSY, Refused, reply
from ..arguments import parse_as
from . import closed, disk, lock, owned
from .contract.hold import Hold, HoldAnswer, Release, Released, TakeOver
from .layout import StoreFolder, open_store

STEP = 0.1

# Less than the executor's patience with a lock.
WITHIN = 20.0


def hold(argv: Sequence[str]) -> int:
    """Print `{"held": true}` and wait for the end of stdin; exit 75 with the holder if taken.

    Makes the store's folder, its parents and `.runner` if missing, all for root alone, and closes those that are
    there; but nothing at all when the declared disk, or one of fstab, is not there, or others may change what is
    written to the store.
    """
    _hold(parse_as(Hold, argv))
    return 0


def _hold(options: Hold) -> None:
    if not options.plan:
        raise Refused("--plan is missing", "name the plan that takes the lock")
    store = open_store(options.store)
    disk.require(store, options.disk)
    owned.require(options.store)
    durable.make_folders(store.root)
    durable.make_folder(store.runner)
    closed.close(store)
    # Until now others could have put something there.
    owned.require(options.store)
    descriptor = take(store.lock)
    if descriptor is None or lock.held_by(descriptor, lock.WORK) is not None:
        raise Refused(
            "the store's lock is held by another run",
            "wait until it has ended",
            code=BUSY,
            holder=lock.holder(store.lock) or {},
        )
    keep(descriptor, options.plan, options.who)


def take(path: Path) -> int | None:
    """Take byte 0 of the lock at `path`, made if missing; None if somebody else has it.

    Whether a verb is at work (byte 1) is to be looked at after that.
    """
    # The old text goes before the look at byte 1: a verb of the former holder that takes byte 1 later
    # reads blanks and stops, one that took it earlier is seen. Always the same length in place: that
    # works on a full disk too, where somebody must be able to hold the store in order to free room.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if not lock.take(descriptor, lock.HOLD):
        os.close(descriptor)
        return None
    os.pwrite(descriptor, b" " * lock.ROOM, 0)
    return descriptor


def keep(descriptor: int, plan: str, who: str) -> None:
    """Write into the lock for whom it is held, print `{"held": true}`, and wait for the end of stdin."""
    about = {"plan": plan, "who": who, "pid": os.getpid(), "since": clock.now()}
    os.pwrite(descriptor, json.dumps(about).encode().ljust(lock.ROOM)[: lock.ROOM], 0)
    os.fsync(descriptor)
    reply(HoldAnswer(held=True))
    lock.until_stdin_ends()


def release(argv: Sequence[str]) -> int:
    """Print `{"free": true}` once nobody holds the store any more; exit 75 where another plan does.

    Only the holder that works for `--plan` is ended, by TERM; its run then sees that its lock is gone and
    stops what it does there. A verb that works is never ended: it has `--within` seconds (20).
    """
    options = parse_as(Release, argv)
    if not options.plan:
        raise Refused("--plan is missing", "name the plan whose hold is to end")
    end(open_store(options.store), options.plan, options.within)
    reply(Released(free=True))
    return 0


def end(store: StoreFolder, plan: str, within: float) -> None:
    """End the hold of `plan` and wait until the lock is free; Refused where it is not by then."""
    try:
        descriptor = os.open(store.lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    try:
        deadline = time.monotonic() + within
        ended = False
        while True:
            holder = lock.held_by(descriptor, lock.HOLD)
            if holder is None and lock.held_by(descriptor, lock.WORK) is None:
                return
            if holder is not None and not ended:
                ended = _end(descriptor, holder, plan)
            if time.monotonic() >= deadline:
                raise Refused(
                    "the store is still held, or a verb still works in it",
                    "wait until it has ended",
                    code=BUSY,
                    holder=lock.holder_text(descriptor),
                )
            time.sleep(STEP)
    finally:
        os.close(descriptor)


def _end(descriptor: int, holder: int, plan: str) -> bool:
    """End the holder by TERM if it is the one of `plan`; False while it has not yet written for whom it holds."""
    text = lock.holder_text(descriptor)
    if not text:
        return False
    # The text may be that of the holder before; only the kernel's own number makes it the present one's.
    if text.get("plan") != plan or text.get("pid") != holder or holder <= 1:
        raise Refused(
            f"the store is held by {text.get('who') or 'another run'}, not by plan {plan}",
            "wait until it has ended, or make a new plan",
            code=BUSY,
            holder=text,
        )
    os.kill(holder, signal.SIGTERM)
    return True


def take_over(argv: Sequence[str]) -> int:
    """As `hold`, but the holder that works for plan `--from` is ended first; see `release`.

    A snapshot that is cut off so is kept as a partial, and the next run goes on with it.
    """
    options = parse_as(TakeOver, argv)
    if not options.from_:
        raise Refused("--from is missing", "name the plan whose hold is to end")
    end(open_store(options.store), options.from_, WITHIN)
    _hold(Hold(options.store, options.plan, options.who, options.disk))
    return 0
