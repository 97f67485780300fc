"""runner-agent: the argv of its verbs for a store, and their answers. See docs/store.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from runner.agent.arguments import DeclaredDisk, argv, parse_as
from runner.agent.confined.contract import Confine
from runner.agent.host.contract.room import KeepRoom, LookAtRoom
from runner.agent.snapshots.contract import diff as diff_contract
from runner.agent.snapshots.contract import find as find_contract
from runner.agent.snapshots.contract import record as record_contract
from runner.agent.snapshots.contract import search as search_contract
from runner.agent.snapshots.contract.begin import Begin
from runner.agent.snapshots.contract.diff import Diff, DiffCounts
from runner.agent.snapshots.contract.find import Find
from runner.agent.snapshots.contract.search import Search
from runner.agent.snapshots.contract_restored import ReadSnapshots
from runner.agent.store.contract import freed as freed_contract
from runner.agent.store.contract import holder as holder_contract
from runner.agent.store.contract.close import Close
from runner.agent.store.contract.disk import CheckDisk
from runner.agent.store.contract.freed import Freed
from runner.agent.store.contract.hold import Hold
from runner.agent.store.contract.newest import Newest, Record
from runner.agent.store.contract.reap import Reap
from runner.model.errors import FactsIncomplete
from runner.model.plan import Argv
from runner.model.site import Host
from runner.tools.answers import Contract, read

PROGRAM = "/usr/local/sbin/runner-agent"
# What the same program was called until the agent got its name; nothing of ours uses it any more.
FORMER = "/usr/local/sbin/runner-store"
ARTIFACT = "runner-agent"

SnapshotDifference: TypeAlias = diff_contract.SnapshotDifference
SnapshotRecord: TypeAlias = record_contract.SnapshotRecord
FileVersion: TypeAlias = find_contract.FileVersion
Versions: TypeAlias = find_contract.Versions
NamesFound: TypeAlias = search_contract.NamesFound
Gains: TypeAlias = freed_contract.Gains
HolderAnswer: TypeAlias = holder_contract.HolderAnswer
LockAnswer: TypeAlias = holder_contract.LockAnswer

IDLE: Argv = ("ionice", "--class=idle", "nice", "--adjustment=19")


@dataclass(frozen=True, kw_only=True, slots=True)
class At:
    """A store to work on: where it really is, under which plan's lock, on which disk.

    `mount` and `uuid` are "" where no disk is declared, or in the sandbox.
    """

    program: str
    path: str
    plan: str
    mount: str = ""
    uuid: str = ""

    @property
    def disk(self) -> DeclaredDisk:
        """The disk that must be mounted."""
        return DeclaredDisk(self.mount, self.uuid)

    def call(self, verb: str, options: tuple[Any, ...], *, idle: bool = False) -> Argv:
        """The verb with these options; at idle priority (ionice(1), nice(1)) where others come first."""
        return (*(IDLE if idle else ()), self.program, *argv(verb, options))


@dataclass(frozen=True, kw_only=True, slots=True)
class Only:
    """All of a host that what is confined sees, beside its programs and where a partial is received."""

    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


def program(host: Host) -> str:
    """Where the program is on `host`."""
    return host.at(PROGRAM)


def former(host: Host) -> str:
    """Where an older runner put the same program on `host`, under another name."""
    return host.at(FORMER)


def hold(at: At, *, who: str) -> Argv:
    """Take the store's lock and keep it until stdin ends."""
    return at.call("hold", Hold(at.path, at.plan, who, at.disk))


def begun(command: Argv) -> Begin:
    """The options of a `begin` that a plan holds."""
    _, _, *options = command
    return parse_as(Begin, options)


def check_disk(at: At) -> Argv:
    """Say whether the store is on its declared disk, really mounted. Reads only."""
    return at.call("check-disk", CheckDisk(at.path, at.disk))


def close(host: Host, store: str) -> Argv:
    """Let nobody but root enter the store's folders."""
    return (program(host), *argv("close", Close(store)))


def newest(at: At) -> Argv:
    """Print the newest sealed snapshot, counts and room as JSON. Reads only."""
    return at.call("newest", Newest(at.path))


def reap(at: At) -> Argv:
    """Remove what is in the trash, at idle priority (ionice(1), nice(1))."""
    return at.call("reap", Reap(at.path, at.plan, at.disk), idle=True)


def keep_room(
    program_path: str,
    folder: str,
    *,
    partial: str = "",
    by_hand: bool = False,
    aside: str = "",
    only: Only | None = None,
) -> Argv:
    """Run the command whose words follow, and end it before it takes the last of a disk that it writes to.

    That is `folder`, and `aside` if it is named. With `only` it is confined to that: it hears another host.
    """
    options = KeepRoom(folder, ("rsync",), partial, by_hand=by_hand, writes=(aside,) if aside else ())
    if only:
        options = options._replace(confined=True, writes=only.writes, reads=only.reads)
    *words, _ = argv("keep-room", options)
    return (program_path, *words)


def confine(program_path: str, reads: Sequence[str]) -> Argv:
    """Run the command whose words follow, hears another host, can write nothing, and sees only `reads`."""
    *words, _ = argv("confine", Confine(("rsync",), tuple(reads)))
    return (program_path, *words)


def room(program_path: str, folder: str, *, partial: str = "", by_hand: bool = False) -> Argv:
    """Say whether `keep_room` ended what it ran for room, or would now: then it ends 1. Reads only."""
    return (program_path, *argv("room", LookAtRoom(folder, partial, by_hand=by_hand)))


def find(store: str) -> Argv:
    """Print as JSON every distinct version of the path on stdin. Reads only.

    A verb without its program, as the next two: it is called where nothing need be installed.
    """
    return argv("find", Find(store))


def search(store: str, snapshot: str) -> Argv:
    """Print as JSON which names in the snapshot match the pattern on stdin. Reads only; as `find`."""
    return argv("search", Search(store, snapshot))


def diff(store: str, older: str, newer: str) -> Argv:
    """Print as NDJSON what differs between two snapshots below the path on stdin. Reads only; as `find`."""
    return argv("diff", Diff(store, older, newer))


def difference(line: Mapping[str, Any]) -> SnapshotDifference | Mapping[str, int]:
    """A line of the answer of `diff`, the last of which are its counts; FactsIncomplete where it cannot be read."""
    return sure(line, DiffCounts).counts if "counts" in line else sure(line, SnapshotDifference)


def record(store: str, name: str) -> Argv:
    """Print the record of a sealed snapshot. Reads only; as `find`."""
    return argv("record", Record(store, name))


def reading(program_path: str, store: str, name: str) -> Argv:
    """Keep a snapshot from being expired until stdin ends. Reads only, takes no lock of the store's."""
    return (program_path, *argv("reading", ReadSnapshots(store, name)))


def freed(store: str, name: str) -> Argv:
    """Print as JSON what expiring this snapshot alone gains, counted now. Reads only; as `find`."""
    return argv("freed", Freed(store, (name,), exact=True))


def measure_freed(at: At, names: Sequence[str] = ()) -> Argv:
    """Count what expiring the oldest gains and keep it for probes, at idle priority."""
    options = Freed(at.path, tuple(names), save=True, plan=at.plan, disk=at.disk)
    return at.call("freed", options, idle=True)


def sure(answer: Mapping[str, Any], contract: type[Contract]) -> Contract:
    """The answer of the verb with this contract; FactsIncomplete where it cannot be read."""
    checked = read(answer, contract)
    if checked is None:
        raise FactsIncomplete("an answer of runner-agent cannot be read", do="look at the store's host, and try again")
    return checked


def gain(answer: Mapping[str, Any]) -> tuple[int, int]:
    """What `freed` answers of one snapshot, bytes and inodes; FactsIncomplete where it answers anything else."""
    freed = sure(answer, Gains).freed
    if len(freed) != 1:
        raise FactsIncomplete("an answer of runner-agent is not about what was asked", do="look at the store's host")
    return freed[0].bytes, freed[0].inodes
