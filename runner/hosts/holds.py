"""The locks of one plan: a command on the host holds each, and a job hands it to the next that wants the same."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from runner.hosts.transport import HeldCommand, Transport
from runner.model.plan import Argv, Lock, PlannedJob


class Holds:
    """What holds the locks of a plan's jobs; for all threads.

    A lock is handed on to a job that has nothing else to wait for, so that it is asked for once. Nobody else has a turn
    between the two, and none is held while nobody works under it.
    """

    def __init__(self, jobs: Sequence[PlannedJob]) -> None:
        """Hold nothing yet."""
        self._jobs = tuple(jobs)
        self._mutex = threading.Lock()
        self._over: set[str] = set()
        self._kept: dict[str, tuple[Lock, HeldCommand]] = {}

    def take(self, transport: Transport, lock: Lock) -> HeldCommand:
        """Give the command that holds it or tries to, which is `keep`'s or the caller's to close. OSError."""
        with self._mutex:
            kept, held = self._kept.pop(lock.resource, (None, None))
        if held and kept and _same(kept, lock) and held.alive():
            return held
        if held:
            held.close()
        return transport.start(lock.argv)

    def keep(self, job: PlannedJob, lock: Lock, held: HeldCommand) -> bool:
        """Keep what `job` held for the next, if one can begin as soon as it is over."""
        with self._mutex:
            wanted = held.alive() and any(self._follows(other, job, lock) for other in self._jobs)
            if wanted:
                self._kept[lock.resource] = (lock, held)
        return wanted

    def over(self, job: str) -> None:
        """The job of that name is over, also where it never began; let go of what nobody wants any more."""
        with self._mutex:
            self._over.add(job)
            wanted = {lock.resource for other in self._jobs if other.name not in self._over for lock in other.locks}
            useless = [self._kept.pop(resource)[1] for resource in set(self._kept) - wanted]
        for held in useless:
            held.close()

    def _follows(self, other: PlannedJob, job: PlannedJob, lock: Lock) -> bool:
        names = {each.name for each in self._jobs}
        waits = set(other.after) & names - self._over - {job.name}
        begins = other.name not in self._over | {job.name} and not waits
        # One that wants another lock too may have to wait for that.
        return begins and len(other.locks) == 1 and _same(lock, other.locks[0])


def _same(lock: Lock, other: Lock) -> bool:
    """Whether one does for the other. One that may be lost at a step of its job is that job's alone."""
    places = lock.resource == other.resource and lock.host == other.host and not (lock.until or other.until)
    return places and _anybodys(lock.argv) == _anybodys(other.argv)


def _anybodys(argv: Argv) -> Argv:
    return tuple(word for word in argv if not word.startswith("--who="))
