"""`let-go`: end the `hold` of one plan in a store, so that the disk can be unmounted or another may have it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from ..answer import BUSY, Refused, emit
from ..arguments import number, parse
from . import lock
from .layout import Store, open_store

STEP = 0.1


def run(argv: Sequence[str]) -> int:
    """Print `{"free": true}` once nobody holds the store any more; exit 75 where another plan does.

    Only the holder that works for `--plan` is ended, by TERM; its run then sees that its lock is gone and
    stops what it does there. A verb at work is waited for, `--within` seconds (20), and never ended.
    """
    call = parse(argv, words=1, one=("plan", "within"))
    if not call.one["plan"]:
        raise Refused("--plan is missing", "say whose hold is to end")
    end(open_store(call.words[0]), call.one["plan"], number(call.one["within"] or "20", "--within"))
    emit({"free": True})
    return 0


def end(store: Store, plan: str, within: float) -> None:
    """End the hold of `plan` and wait until the lock is free; Refused where it is not by then."""
    try:
        descriptor = os.open(store.lock, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        deadline = time.monotonic() + within
        asked = False
        while True:
            holder = lock.held_by(descriptor, lock.HOLD)
            if holder is None and lock.held_by(descriptor, lock.WORK) is None:
                return
            if holder is not None and not asked:
                asked = _ask(descriptor, holder, plan)
            if time.monotonic() >= deadline:
                raise Refused(
                    "the store is still held, or a verb is still at work in it",
                    "wait until it has ended",
                    code=BUSY,
                    holder=lock.told(descriptor),
                )
            time.sleep(STEP)
    finally:
        os.close(descriptor)


def _ask(descriptor: int, holder: int, plan: str) -> bool:
    """End the holder by TERM if it is the one of `plan`; whether it was, False while it says nothing yet."""
    told = lock.told(descriptor)
    if not told:
        # It took the lock just now and has yet to write for whom.
        return False
    # The text may be that of the holder before; only the kernel's own number makes it the present one's.
    if told.get("plan") != plan or told.get("pid") != holder or holder <= 1:
        raise Refused(
            f"the store is held by {told.get('who') or 'another run'}, not by plan {plan}",
            "wait until it has ended, or make a new plan",
            code=BUSY,
            holder=told,
        )
    os.kill(holder, signal.SIGTERM)
    return True
