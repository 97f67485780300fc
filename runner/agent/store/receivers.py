"""Who receives into a partial: ended before anything is done with it, and none begins until that is done.

What has a folder or a file open writes to it wherever it is moved, also once it is sealed. So `keep-room` shares the
byte of the partial in the store's lock (see `lock`) for as long as what it runs lives, and a verb takes it alone. Where
`keep-room` was killed that byte is free before what it ran is dead, so what it runs is noted too (`host/noted`).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable

from ..answer import BUSY, Refused
from ..host import noted
from . import lock
from .layout import StoreFolder, is_name, partials, read_json, sealed

STEP = 0.05
# More than what is confined has between a TERM and the KILL.
PATIENCE = 15.0


def share(store: StoreFolder, name: str) -> int:
    """Be one that receives into the partial `name` until this process ends; Refused where that may not be now.

    Gives the descriptor of the lock, which must stay open.
    """
    if not is_name(name):
        raise Refused(f"{name!a} is no snapshot's name", "name the partial that is received")
    descriptor = lock.open_lock(store, os.O_RDONLY)
    if not lock.take(descriptor, lock.byte_of(name), shared=True):
        raise Refused(f"a verb is at work on the partial {name}", "wait until it has ended", code=BUSY)
    # Only now: until it was ours, somebody could have sealed it or dropped it.
    if name not in partials(store) or name in sealed(store):
        raise Refused(f"there is no partial {name!a}", "run `begin` first")
    if {"composing", "composed"} & set(read_json(store.begun(name))):
        raise Refused(f"the partial {name} has been composed already, or half", "run the job again")
    return descriptor


def note(descriptor: int, name: str, pid: int) -> str:
    """Note the process that receives into a partial, before it may; the name of the note. Raises Refused."""
    return noted.note(_key(descriptor, name), pid)


def end(descriptor: int, names: Iterable[str]) -> None:
    """End whoever receives into these partials, and let nobody begin to while the lock file is open as `descriptor`.

    Refused (busy) where one lives on.
    """
    deadline = time.monotonic() + PATIENCE
    for name in names:
        ended: set[int] = set()
        while not lock.take(descriptor, lock.byte_of(name)):
            # Asked of the kernel each time: a number that was told is not told again, it may be another's by then.
            pid = lock.held_by(descriptor, lock.byte_of(name))
            if pid and pid > 1 and pid not in ended:
                ended.add(pid)
                _tell(pid)
            if time.monotonic() >= deadline:
                raise Refused(f"something still receives into the partial {name}", "wait until it has ended", code=BUSY)
            time.sleep(STEP)
        if not noted.end(_key(descriptor, name), PATIENCE):
            raise Refused(f"something still receives into the partial {name}", "wait until it has ended", code=BUSY)


def _key(descriptor: int, name: str) -> str:
    """A partial of this host's, by the lock of its store."""
    status = os.fstat(descriptor)
    return f"{status.st_dev}-{status.st_ino}-{name}"


def _tell(pid: int) -> None:
    import signal  # noqa: PLC0415  (slow to load, and there hardly ever is one)

    # One that was stopped hears it when it goes on.
    for number in (signal.SIGTERM, signal.SIGCONT):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
