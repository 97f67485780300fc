"""What a drill asks of runner-agent: the sample, what came back, the dumps, and what is proven by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.agent.arguments import argv as words
from runner.agent.detached.contract import HoldHost
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

    @property
    def _run(self) -> Argv:
        return (f"--run={self.run}",) if self.run else ()

    def hold(self, who: str) -> Argv:
        """Take the host's lock on drills and keep it until stdin ends."""
        return (self.program, *words("hold-host", HoldHost("drill", self.plan, who, run=self.run)))

    def make(self, need: int) -> Argv:
        """Make the folder, if there is room for `need` bytes, and remove what earlier drills left."""
        return (self.program, "drill-room", self.folder, self.plan, f"--need={need}", *self._run)

    def measure(self) -> Argv:
        """End 1 unless there is room for what the dumps on stdin take. Reads only."""
        return (self.program, "drill-room", self.folder, self.plan, "--measure", *self._run)

    def remove(self) -> Argv:
        """Remove the folder, a server that still runs in it ended first."""
        return (self.program, "drill-room", self.folder, self.plan, "--remove", *self._run)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What is drawn from these snapshots, oldest first: so many files of so many bytes, and the canaries."""

    snapshots: tuple[str, ...]
    seed: str
    files: int
    most: int
    canaries: tuple[str, ...]


def reading(program: str, path: str, snapshots: Sequence[str]) -> Argv:
    """Keep snapshots from being expired until stdin ends. Reads only, takes no lock of the store's."""
    return (program, "reading", path, *snapshots)


def sample(program: str, path: str, wanted: Sample) -> Argv:
    """Print what is to come back, a line a name. Reads only."""
    return (
        program,
        "sample",
        path,
        f"--seed={wanted.seed}",
        f"--files={wanted.files}",
        f"--most={wanted.most}",
        *(f"--canary={one}" for one in wanted.canaries),
        "--",
        *wanted.snapshots,
    )


def bring(program: str, argv: Argv) -> Argv:
    """Run `argv` with the names on stdin that an earlier step chose."""
    return (program, "bring", "--", *argv)


def compare(scratch: Scratch, *, source: str, margin: int) -> Argv:
    """Compare what came back with the sample on stdin, and with the source below `source`. Reads only.

    `margin` are the seconds that the clocks of source and controller may differ by.
    """
    return (scratch.program, "compare-drill", f"{scratch.place}/files", f"--source={source}", f"--margin={margin}")


def newest_dumps(program: str, path: str, snapshot: str, folder: str) -> Argv:
    """Print the newest dump of each database in `folder` inside a snapshot, a line a file. Reads only."""
    return (program, "newest-dumps", path, snapshot, folder)


def try_dumps(scratch: Scratch, reach: Argv) -> Argv:
    """Restore the dumps on stdin into a server of their own, and compare rows with their records."""
    return (scratch.program, "try-dumps", scratch.place, *reach)


def proven(at: agent.At, sort: str, snapshot: str, when: str) -> Argv:
    """Remember at the store that a drill of this sort succeeded. `when` is ISO 8601 with an offset."""
    return (at.program, *words("proven", Prove(at.path, sort, snapshot, when, at.declared)))
