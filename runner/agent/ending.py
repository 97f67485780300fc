"""What a verb has started ends with it: ended by a signal, it leaves no program behind that goes on for hours."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@contextlib.contextmanager
def together() -> Iterator[None]:
    """While the block runs a signal leaves it, so that what it began is undone; then no child is left.

    Whoever started a program ends it on the way out, but a signal may come when it is there and nobody knows
    of it yet: between its fork and the name that it is given. So all children are asked for by our own number.
    """
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    for each, known in before.items():
        # Begun with nohup(1) it outlives its terminal. Shells ignore SIGINT for whatever they begin in the background.
        if (each, known) != (signal.SIGHUP, signal.SIG_IGN):
            signal.signal(each, _leave)
    try:
        yield
    finally:
        _deaf()
        while pids := _children():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)
        for each, known in before.items():
            signal.signal(each, known)


def _leave(which: int, _: FrameType | None) -> NoReturn:
    # Another one is not to end the undoing.
    _deaf()
    raise SystemExit(128 + which)


def _deaf() -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def _children() -> list[int]:
    own = str(os.getpid()).encode()
    found = []
    for folder in Path("/proc").glob("[1-9]*"):
        # The name comes in brackets and may hold anything.
        with contextlib.suppress(OSError):
            state = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            if state[1] == own:
                found.append(int(folder.name))
    return found
