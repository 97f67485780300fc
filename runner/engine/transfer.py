"""How far a transfer has come: files and bytes from what rsync prints, and what it moves within a big file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

from runner.model.event import Event, Progress
from runner.model.plan import Command, Step
from runner.tools import rsync

# What is sent is read and written by the sender, and so by a receiver here; one elsewhere is seen by nobody here.
_NEAR, _FAR = 4, 2
# No file is longer than a number of so many digits.
_DIGITS = 18


class TransferCounter:
    """Counts files and bytes in rsync's output as it comes, and sends a Progress now and then.

    A file is listed when it is there. How much of the next one is, is known from the bytes that the processes of the
    transfer move on this machine: about, and for people only.
    """

    def __init__(self, step: Step, tell: Callable[[Event], None], every: float = 0.5) -> None:
        """Nothing is sent yet; `tell` hears of it at most once in `every` seconds."""
        self._step, self._tell, self._every = step, tell, every
        self._lock = threading.Lock()
        self._rest = b""
        self._files = self._bytes = self._shown = 0
        self._moved = self._before = 0
        self._times = _FAR if isinstance(step.action, Command) and rsync.far(step.action.argv) else _NEAR
        self._reported = monotonic()

    def add(self, chunk: bytes) -> None:
        """The next piece of the output, cut anywhere."""
        with self._lock:
            lines = (self._rest + chunk).split(b"\n")
            self._rest = lines.pop()
            for line in lines:
                self._line(line)
            event = self._event()
        if event:
            self._tell(event)

    def moved(self, amount: int) -> None:
        """How many bytes its processes have read and written so far."""
        with self._lock:
            self._moved = max(amount, self._moved)
            event = self._event()
        if event:
            self._tell(event)

    def _line(self, line: bytes) -> None:
        if line[1:2] == b"f" and line[:1] in b"<>":
            parts = line.split(b"|", 3)
            if len(parts) == 4 and parts[2].isdigit() and len(parts[2]) <= _DIGITS:
                self._files += 1
                self._bytes += int(parts[2])
                self._before = self._moved

    def _event(self) -> Progress | None:
        if monotonic() - self._reported < self._every:
            return None
        self._reported = monotonic()
        # It never goes back: what was only about right is made up for by the files that follow.
        self._shown = max(self._shown, self._bytes + (self._moved - self._before) // self._times)
        at = datetime.now(UTC)
        return Progress(step=self._step.id, job=self._step.job, files=self._files, bytes=self._shown, at=at)
