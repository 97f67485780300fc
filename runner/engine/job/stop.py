"""When a job has to stop: a person says so, or a lock of its own is lost."""

from __future__ import annotations

from time import monotonic

from runner.hosts.session import StopSignal
from runner.hosts.transport import HeldCommand
from runner.model import cause

_LOOK = 1.0
_PARTING = 2.0


class JobStop:
    """A `StopSignal`: set when a person stops the run, or when a lock of this job is lost: nothing may go on then."""

    def __init__(self, person: StopSignal) -> None:
        self._person = person
        self.held: list[tuple[HeldCommand, str]] = []
        self.left: list[HeldCommand] = []
        self._parted = 0.0

    def is_set(self) -> bool:
        """Whether nothing more may be done."""
        return self._person.is_set() or not all(lock.alive() for lock, _ in self.held)

    def release(self, step: str) -> None:
        """From this step on the locks that say so may be lost; until they are they are held."""
        self.left += [lock for lock, until in self.held if until == step]
        self.held = [(lock, until) for lock, until in self.held if until != step]

    def parting(self) -> float:
        """How many seconds are left to release the locks that may be lost, counted from the first call."""
        self._parted = self._parted or monotonic() + _PARTING
        return max(self._parted - monotonic(), 0.0)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is, at most so many seconds; whether it is."""
        # No event tells that a lock was lost: it is looked for.
        end = monotonic() + timeout if timeout is not None else None
        while not self.is_set():
            left = _LOOK if end is None else end - monotonic()
            if left <= 0:
                return False
            self._person.wait(min(_LOOK, left))
        return True

    @property
    def why(self) -> str:
        """For a person."""
        lost = "the lock was lost (its holder or the connection is gone)"
        return "stopped" if self._person.is_set() else lost

    @property
    def cause(self) -> str:
        """As data; "" where a lock was lost."""
        return cause.STOPPED if self._person.is_set() else ""
