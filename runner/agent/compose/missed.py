"""The names that a new snapshot has not, or not as they are at the source, and why."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from ..answer import SHOWN, shown
from ..snapshots.contract.record import SnapshotException

LISTED = 1000
# So many are known again when two programs name them. How long the paths are says the other end: so many characters
# of them are remembered, and so many are in the record, which every look at the store reads.
REMEMBERED, REMEMBERED_TEXT, LISTED_TEXT = 100_000, 64 << 20, 256 << 10
EXCEPTIONS = ("unreadable", "attributes", "not mounted", "another filesystem", "too deep")
# One that jobs.toml accepts by name is no exception.
ACCEPTED = "accepted"
# What changed while it was copied.
UNSTEADY = ("vanished", "changed")
HARMLESS = (*UNSTEADY, ACCEPTED)
# No agent knows so many: of more the counts are not the same.
CAUSES = 100
# Whatever else the other end may call it.
UNEXPLAINED = "unexplained"


class MissedNames:
    """Counts them by mount point and cause; `exceptions` holds the first of them, but none at an `accept` path.

    `before` are the exceptions of the snapshot before: the others are `new`.
    """

    def __init__(self, before: frozenset[SnapshotException], accept: Sequence[str] = ()) -> None:
        self.causes: dict[str, dict[str, int]] = {}
        self.exceptions: list[SnapshotException] = []
        self.new = 0
        self.unexplained: list[str] = []
        self._before = before
        self._accept = tuple(f"{path}/" for path in accept)
        self._noted: set[SnapshotException] = set()
        self._text = self._listed = 0

    def cause(self, name: str) -> int:
        """How many names have this cause."""
        return sum(counts.get(name, 0) for counts in self.causes.values())

    def count(self, point: str, cause: str) -> int:
        """How many names of the filesystem at `point` have it."""
        return self.causes.get(point, {}).get(cause, 0)

    def without_cause(self) -> dict[str, int]:
        """By mount point how many names are missing or differ, and nobody knows why."""
        return {point: counts[UNEXPLAINED] for point, counts in self.causes.items() if UNEXPLAINED in counts}

    def note(self, point: str, path: str, cause: str) -> None:
        """Note that the name is missing or differs, and why; `path` is below the mount point."""
        if cause not in (*EXCEPTIONS, *HARMLESS):
            cause = UNEXPLAINED
        line = SnapshotException(posixpath.join(point, path) if path else point, cause)
        if line in self._noted:
            return
        if len(self._noted) < REMEMBERED and self._text + len(line.path) <= REMEMBERED_TEXT:
            self._noted.add(line)
            self._text += len(line.path)
        accepted = cause in EXCEPTIONS and f"{line.path}/".startswith(self._accept)
        counts = self.causes.setdefault(point, {})
        counted = ACCEPTED if accepted else cause
        counts[counted] = counts.get(counted, 0) + 1
        if accepted:
            return
        if line.cause in EXCEPTIONS:
            self.new += line not in self._before
            if len(self.exceptions) < LISTED and self._listed + len(line.path) <= LISTED_TEXT:
                self.exceptions.append(line)
                self._listed += len(line.path)
        elif line.cause not in HARMLESS and len(self.unexplained) < 3:
            self.unexplained.append(shown(line.path[:SHOWN]))
