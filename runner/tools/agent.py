"""runner-agent: the argv of its verbs for a store, and their answers. See docs/store.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from runner.agent.arguments import DeclaredDisk, argv
from runner.agent.host.contract import Mounted
from runner.agent.retention.contract import Audit, Expire, Floor, Links
from runner.agent.snapshots import contract
from runner.agent.snapshots.contract import Begin, Diff, Explain, Find, ReadSnapshots, Seal
from runner.agent.store.contract import CheckDisk, Freed, Gain, Gains, Hold, Newest, Pin, Reap, Record, Unpin
from runner.model.errors import FactsIncomplete
from runner.model.plan import Argv
from runner.model.site import Host
from runner.tools.answers import Contract, read

PROGRAM = "/usr/local/sbin/runner-agent"
# What the same program was called until the agent got its name; nothing of ours uses it any more.
FORMER = "/usr/local/sbin/runner-store"
ARTIFACT = "runner-agent"

Difference: TypeAlias = contract.Difference
SnapshotRecord: TypeAlias = contract.SnapshotRecord
FileVersion: TypeAlias = contract.FileVersion
Versions: TypeAlias = contract.Versions

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
    def declared(self) -> DeclaredDisk:
        """The disk that must be mounted."""
        return DeclaredDisk(self.mount, self.uuid)

    @property
    def disk(self) -> Argv:
        """The disk that must be mounted, as options of every writing verb."""
        mount = (f"--mount={self.mount}",) if self.mount else ()
        return (*mount, *((f"--uuid={self.uuid}",) if self.uuid else ()))


def program(host: Host) -> str:
    """Where the program is on `host`."""
    return host.at(PROGRAM)


def former(host: Host) -> str:
    """Where an older runner put the same program on `host`, under another name."""
    return host.at(FORMER)


def hold(at: At, *, who: str) -> Argv:
    """Take the store's lock and keep it until stdin ends."""
    return (at.program, *argv("hold", Hold(at.path, at.plan, who, at.declared)))


def check_disk(at: At) -> Argv:
    """Say whether the store is on its declared disk, really mounted. Reads only."""
    return (at.program, *argv("check-disk", CheckDisk(at.path, at.declared)))


def newest(at: At) -> Argv:
    """Print the newest sealed snapshot, counts and room as JSON. Reads only."""
    return (at.program, *argv("newest", Newest(at.path)))


def begin(at: At, name: str, *, basis: str, resume: Sequence[str], mounts: Sequence[str]) -> Argv:
    """Make the partial folder `name`, if the newest sealed snapshot is still `basis`."""
    options = Begin(
        store=at.path,
        name=name,
        points=tuple(mounts),
        plan=at.plan,
        basis=basis,
        resume=tuple(resume),
        disk=at.declared,
    )
    return (at.program, *argv("begin", options))


def links(at: At, most: int) -> Argv:
    """Print as JSON whether the largest group of hard links fits into `most` snapshots. Reads only."""
    return (*IDLE, at.program, *argv("links", Links(at.path, most)))


def mounted(program_path: str, mount: str) -> Argv:
    """Print as JSON which device is mounted at `mount`. Reads only."""
    return (program_path, *argv("mounted", Mounted(mount)))


def explain(program_path: str, source: str, *, since: str, exclude: Sequence[str]) -> Argv:
    """Print why each name on stdin differs from its source: gone, changed, unreadable. Reads only."""
    return (program_path, *argv("explain", Explain(source, since, tuple(exclude))))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealing:
    """What a seal is told: step ids by mount point, and what the record should say.

    `kept` are inputs saved from interrupted snapshots; `absent` are mount points that should have
    been there.
    """

    transfers: tuple[tuple[str, str], ...]
    explained: tuple[tuple[str, str], ...]
    kept: tuple[str, ...]
    absent: tuple[str, ...]
    host: str
    job: str
    started: str
    checksum: str


def seal(at: At, name: str, sealing: Sealing) -> Argv:
    """Turn the partial `name` into a sealed snapshot, if it is a faithful copy."""
    options = Seal(
        store=at.path,
        name=name,
        plan=at.plan,
        host=sealing.host,
        job=sealing.job,
        started=sealing.started,
        checksum=sealing.checksum,
        transfer=tuple(f"{step}={mount}" for step, mount in sealing.transfers),
        explained=tuple(f"{step}={mount}" for step, mount in sealing.explained),
        kept=sealing.kept,
        absent=sealing.absent,
        disk=at.declared,
    )
    return (at.program, *argv("seal", options))


def reap(at: At) -> Argv:
    """Remove what is in the trash, at idle priority (ionice(1), nice(1))."""
    return (*IDLE, at.program, *argv("reap", Reap(at.path, at.plan, at.declared)))


def find(store: str) -> Argv:
    """Print as JSON every distinct version of the path on stdin. Reads only.

    A verb without its program, as the next two: it is asked while nothing need be installed.
    """
    return argv("find", Find(store))


def versions(answer: Mapping[str, Any]) -> Versions:
    """The answer of `find`; FactsIncomplete where it cannot be read."""
    return _sure(answer, Versions)


def diff(store: str, older: str, newer: str) -> Argv:
    """Print as NDJSON what differs between two snapshots below the path on stdin. Reads only; as `find`."""
    return argv("diff", Diff(store, older, newer))


def difference(line: Mapping[str, Any]) -> Difference | Mapping[str, int]:
    """A line of the answer of `diff`, the last of which are its counts; FactsIncomplete where it cannot be read."""
    return _sure(line, contract.Differences).counts if "counts" in line else _sure(line, Difference)


def record(store: str, name: str) -> Argv:
    """Print the record of a sealed snapshot. Reads only; as `find`."""
    return argv("record", Record(store, name))


def snapshot_record(answer: Mapping[str, Any]) -> SnapshotRecord:
    """The answer of `record`; FactsIncomplete where it cannot be read."""
    return _sure(answer, SnapshotRecord)


def floor(at: At, least: int) -> Argv:
    """Remember at the disk that at least so many clean snapshots must stay; never lowers it."""
    return (at.program, *argv("floor", Floor(at.path, least, at.plan, disk=at.declared)))


def expire(at: At, name: str, *, least: int) -> Argv:
    """Move one sealed snapshot to the trash, if the store can spare it."""
    return (at.program, *argv("expire", Expire(at.path, name, at.plan, least, at.declared)))


def pin(at: At, name: str, *, until: str, why: str) -> Argv:
    """Keep a snapshot until then, whatever the retention says. `until` is ISO 8601 with an offset."""
    options = Pin(at.path, name, at.plan, until, why, at.declared)
    return (at.program, *argv("pin", options))


def unpin(at: At, name: str) -> Argv:
    """Let a pinned snapshot go the way of the others."""
    return (at.program, *argv("unpin", Unpin(at.path, name, at.plan, at.declared)))


def reading(program_path: str, store: str, name: str) -> Argv:
    """Keep a snapshot from being expired until stdin ends. Reads only, takes no lock of the store's."""
    return (program_path, *argv("reading", ReadSnapshots(store, name)))


def freed(store: str, names: Sequence[str] = (), *, exact: bool = False) -> Argv:
    """Print as JSON what expiring snapshots in this order gains, cumulatively. Reads only; as `find`."""
    return argv("freed", Freed(store, tuple(names), exact=exact))


def gains(answer: Mapping[str, Any]) -> tuple[Gain, ...]:
    """The answer of `freed`; FactsIncomplete where it cannot be read."""
    return _sure(answer, Gains).freed


def measure_freed(at: At, names: Sequence[str] = ()) -> Argv:
    """Count what expiring the oldest gains and keep it for probes, at idle priority."""
    options = Freed(at.path, tuple(names), save=True, plan=at.plan, disk=at.declared)
    return (*IDLE, at.program, *argv("freed", options))


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How much an audit reads at most: bytes and seconds a night, all of the store in `every` days."""

    bytes: int
    seconds: int
    every: int


def audit(at: At, share: Share) -> Argv:
    """Read a share of the store again and compare it with what was sealed, at idle priority."""
    options = Audit(at.path, at.plan, share.bytes, share.seconds, share.every, at.declared)
    return (*IDLE, at.program, *argv("audit", options))


def _sure(answer: Mapping[str, Any], contract: type[Contract]) -> Contract:
    checked = read(answer, contract)
    if checked is None:
        raise FactsIncomplete("an answer of runner-agent cannot be read", do="look at the store's host, and try again")
    return checked
