"""What a run wants in the journal, in order: what the journal does not take now is kept, and given to it again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from runner.model.errors import RunnerError

Write = Callable[[], object]


class Recording:
    """A queue before the journal. Safe for threads. What waits in it is lost with the process."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._waiting: list[Write] = []
        self._lock = threading.Lock()

    def sure(self, write: Write) -> None:
        """Write it, after all that waits; RunnerError where the journal cannot be used, and nothing is kept of it."""
        with self._lock:
            self._settle()
            write()

    def soon(self, write: Write) -> None:
        """Write it now where that can be done, else later: it has happened, and is so whatever the journal says."""
        with self._lock:
            self._waiting.append(write)
            with suppress(RunnerError):
                self._settle()

    def settle(self) -> None:
        """Write what waits; RunnerError where the journal still cannot be used."""
        with self._lock:
            self._settle()

    def _settle(self) -> None:
        while self._waiting:
            self._waiting[0]()
            self._waiting.pop(0)
