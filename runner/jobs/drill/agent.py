"""What a drill asks of runner-agent: the sample, the comparison, the dumps, and what is proven by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.agent.arguments import argv as words
from runner.agent.detached.contract import HoldHost
from runner.agent.drill.contract import Bring, CompareDrill, DrawSample, DrillRoom, NewestDumps, TryDumps
from runner.agent.snapshots.contract import Reading
from runner.agent.store.contract import Prove
from runner.model.plan import Argv
from runner.tools import agent


@dataclass(frozen=True, kw_only=True, slots=True)
class Scratch:
    """Where a drill restores to: `folder` really is on a host with `program`, under the lock of `plan`.

    `run` is the folder of the host's locks, "" for the usual one.
    """

    program: str
    folder: str
    plan: str
    run: str = ""

    @property
    def place(self) -> str:
        """The folder that this drill makes and removes."""
        return f"{self.folder}/{self.plan}"

    def hold(self, who: str) -> Argv:
        """Take the host's lock on drills and keep it until stdin ends."""
        return (self.program, *words("hold-host", HoldHost("drill", self.plan, who, run=self.run)))

    def make(self, need: int) -> Argv:
        """Make the folder, if there is room for `need` bytes, and remove what earlier drills left."""
        return (self.program, *words("drill-room", DrillRoom(self.folder, self.plan, need, run=self.run)))

    def measure(self) -> Argv:
        """End 1 unless there is room for what the dumps on stdin take. Reads only."""
        return (self.program, *words("drill-room", DrillRoom(self.folder, self.plan, measure=True, run=self.run)))

    def remove(self) -> Argv:
        """Remove the folder, a server that still runs in it ended first."""
        return (self.program, *words("drill-room", DrillRoom(self.folder, self.plan, remove=True, run=self.run)))

    def compare(self, *, source: str, margin: int) -> Argv:
        """Compare what was restored with the sample on stdin, and with the source below `source`. Reads only.

        `margin` are the seconds that the clocks of source and controller may differ by.
        """
        return (self.program, *words("compare-drill", CompareDrill(f"{self.place}/files", source, margin)))

    def try_dumps(self, user: str, programs: str) -> Argv:
        """Restore the dumps on stdin into a server of their own, and compare rows with their records."""
        return (self.program, *words("try-dumps", TryDumps(self.place, user, programs=programs)))


def reading(program: str, path: str, snapshots: Sequence[str]) -> Argv:
    """Keep snapshots from being expired until stdin ends. Reads only, takes no lock of the store's."""
    first, *others = snapshots
    return (program, *words("reading", Reading(path, first)), *others)


def sample(program: str, options: DrawSample) -> Argv:
    """Print what is to be restored, a line a name. Reads only."""
    return (program, *words("sample", options))


def bring(program: str, argv: Argv) -> Argv:
    """Run `argv` with the names on stdin that an earlier step chose."""
    return (program, *words("bring", Bring(argv)))


def newest_dumps(program: str, path: str, snapshot: str, folder: str) -> Argv:
    """Print the newest dump of each database in `folder` inside a snapshot, a line a file. Reads only."""
    return (program, *words("newest-dumps", NewestDumps(path, snapshot, folder)))


def proven(at: agent.At, sort: str, snapshot: str, when: str) -> Argv:
    """Remember at the store that a drill of this sort succeeded. `when` is ISO 8601 with an offset."""
    return (at.program, *words("proven", Prove(at.path, sort, snapshot, when, at.mount, at.uuid)))
