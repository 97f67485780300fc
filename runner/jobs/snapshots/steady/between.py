"""From where to where a snapshot goes, and how: what the plan knows before the first step."""

from __future__ import annotations

from dataclasses import dataclass

from runner.model.facts import STAND_IN, Filesystem, Partial
from runner.model.plan import Argv, Command, Effect, Step
from runner.model.role import Role
from runner.model.stored import DamagedFilesystem
from runner.tools import agent

# Where a host keeps the records of its looks: they are of no use to anybody else, and every look makes them anew.
SCANS = "/var/lib/runner/scans"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What is copied: from `host`, these filesystems; `left_out` and `emptied` are real paths.

    `left_out` are left out whole, `emptied` are kept as empty folders. What cannot be copied at or below
    an `accepted` path is no exception. `program` is runner-agent on that host, `remote` is `host:` where rsync
    must reach it over ssh. `machine` is its machine-id, "" where that is not known. `scans` is where the records of
    its looks are.
    """

    host: str
    filesystems: tuple[Filesystem, ...]
    emptied: tuple[str, ...]
    left_out: tuple[str, ...]
    absent: tuple[str, ...]
    program: str
    remote: str = ""
    accepted: tuple[str, ...] = ()
    machine: str = ""
    scans: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where the snapshot goes, and what it shares inodes with.

    `basis` is the newest sealed one. `bases` pairs each mount point with the newest that has it, which is an older
    one where a filesystem was not mounted lately, and then with those that had much more. `partials` is oldest first.
    `recycle` is the snapshot that expires for this one, and `why`: its tree becomes the new one's. At least `least`
    without exceptions must stay then, of which each job and day has `per_day`; and none expires where a filesystem has
    over `shrink` percent fewer names than before. `whole_seconds`: so the store's disk keeps times. `rotational`: it
    turns, or nobody knows. `damaged` is what audits found in the snapshots of this host. `trusts`: the rsync of its
    host takes --trust-sender. `confines`: what receives from another host is confined there.
    """

    host: str
    at: agent.At
    store: str
    name: str
    basis: str
    bases: tuple[tuple[str, str], ...]
    partials: tuple[Partial, ...]
    remote: str = ""
    has_trash: bool = False
    recycle: str = ""
    why: str = ""
    least: int = 0
    per_day: int = 0
    shrink: int = 100
    whole_seconds: bool = False
    rotational: bool = True
    damaged: tuple[DamagedFilesystem, ...] = ()
    trusts: bool = False
    confines: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How it is copied: where rsync runs, over what, how long it may take.

    `started` is by the controller's clock, `since` the same moment by the source's own. `halves`: what was
    sent of a big file before it was cut off is kept, and used by the next transfer. `instant` is the scheduled
    time that it is copied for, "" for none. Of `compare_every` snapshots one is compared by rsync, 0 for none.
    """

    job: str
    runs_on: str
    rsh: Argv
    checksum: str
    timeout: int
    started: str
    since: str
    guard_mounts: bool
    halves: bool = True
    instant: str = ""
    compare_every: int = 0

    def step(self, name: str, host: str, role: Role, effect: Effect, argv: Argv, why: str) -> Step:
        """A step of the job at `host`."""
        id_, action = f"{self.job}/{name}", Command(argv=argv)
        return Step(id=id_, job=self.job, host=host, action=action, effect=effect, why=why, role=role)


def real(filesystem: Filesystem) -> str:
    """Where a filesystem really is: in the sandbox a folder stands in for it."""
    return filesystem.source if filesystem.type == STAND_IN else filesystem.mount
