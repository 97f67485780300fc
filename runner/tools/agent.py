"""runner-agent, the program at the disk: its argv, one function a verb. See docs/store.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.model.plan import Argv
from runner.model.site import Host

PROGRAM = "/usr/local/sbin/runner-agent"
# What the same program was called until the agent got its name; nothing of ours uses it any more.
FORMER = "/usr/local/sbin/runner-store"
ARTIFACT = "runner-agent"


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
    return (at.program, "hold", at.path, f"--plan={at.plan}", f"--who={who}", *at.disk)


def check_disk(at: At) -> Argv:
    """Say whether the store is on its declared disk, really mounted. Reads only."""
    return (at.program, "check-disk", at.path, *at.disk)


def newest(at: At) -> Argv:
    """Print the newest sealed snapshot, counts and room as JSON. Reads only."""
    return (at.program, "newest", at.path)


def begin(at: At, name: str, *, basis: str, resume: Sequence[str], mounts: Sequence[str]) -> Argv:
    """Make the partial folder `name`, if the newest sealed snapshot is still `basis`."""
    return (
        at.program,
        "begin",
        at.path,
        name,
        f"--plan={at.plan}",
        f"--basis={basis}",
        *(f"--resume={one}" for one in resume),
        *at.disk,
        "--",
        *mounts,
    )


def links(at: At, most: int) -> Argv:
    """Print as JSON whether the largest group of hard links fits into `most` snapshots. Reads only."""
    return (
        "ionice",
        "--class=idle",
        "nice",
        "--adjustment=19",
        at.program,
        "links",
        at.path,
        f"--max={most}",
    )


def mounted(program_path: str, mount: str) -> Argv:
    """Print as JSON which device is mounted at `mount`. Reads only."""
    return (program_path, "mounted", mount)


def explain(program_path: str, source: str, *, since: str, exclude: Sequence[str]) -> Argv:
    """Say of each name on stdin why it differs from its source: gone, changed, unreadable. Reads only."""
    return (
        program_path,
        "explain",
        source,
        f"--since={since}",
        *(f"--exclude={one}" for one in exclude),
    )


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
    return (
        at.program,
        "seal",
        at.path,
        name,
        f"--plan={at.plan}",
        f"--host={sealing.host}",
        f"--job={sealing.job}",
        f"--started={sealing.started}",
        f"--checksum={sealing.checksum}",
        *(f"--transfer={step}={mount}" for step, mount in sealing.transfers),
        *(f"--explained={step}={mount}" for step, mount in sealing.explained),
        *(f"--kept={one}" for one in sealing.kept),
        *(f"--absent={one}" for one in sealing.absent),
        *at.disk,
    )


def reap(at: At) -> Argv:
    """Remove what is in the trash, at idle priority (ionice(1), nice(1))."""
    return (
        "ionice",
        "--class=idle",
        "nice",
        "--adjustment=19",
        at.program,
        "reap",
        at.path,
        f"--plan={at.plan}",
        *at.disk,
    )


def find(program_path: str, store: str) -> Argv:
    """Print as JSON every distinct version of the path on stdin. Reads only."""
    return (program_path, "find", store)


def diff(program_path: str, store: str, older: str, newer: str) -> Argv:
    """Print as NDJSON what differs between two snapshots below the path on stdin. Reads only."""
    return (program_path, "diff", store, older, newer)


def floor(at: At, least: int) -> Argv:
    """Remember at the disk that at least so many clean snapshots must stay; never lowers it."""
    return (at.program, "floor", at.path, str(least), f"--plan={at.plan}", *at.disk)


def expire(at: At, name: str, *, least: int) -> Argv:
    """Move one sealed snapshot to the trash, if the store can spare it."""
    return (at.program, "expire", at.path, name, f"--plan={at.plan}", f"--min={least}", *at.disk)


def pin(at: At, name: str, *, until: str, why: str) -> Argv:
    """Keep a snapshot until then, whatever the retention says. `until` is ISO 8601 with an offset."""
    return (
        at.program,
        "pin",
        at.path,
        name,
        f"--plan={at.plan}",
        f"--until={until}",
        f"--why={why}",
        *at.disk,
    )


def unpin(at: At, name: str) -> Argv:
    """Let a pinned snapshot go the way of the others."""
    return (at.program, "unpin", at.path, name, f"--plan={at.plan}", *at.disk)


def reading(program_path: str, store: str, name: str) -> Argv:
    """Keep a snapshot from being expired until stdin ends. Reads only, takes no lock of the store's."""
    return (program_path, "reading", store, name)


def freed(program_path: str, store: str, names: Sequence[str] = (), *, exact: bool = False) -> Argv:
    """Print as JSON what expiring snapshots in this order gains, cumulatively. Reads only."""
    return (program_path, "freed", store, *(("--exact",) if exact else ()), "--", *names)


def measure_freed(at: At, names: Sequence[str] = ()) -> Argv:
    """Count what expiring the oldest gains and keep it for probes, at idle priority."""
    return (
        "ionice",
        "--class=idle",
        "nice",
        "--adjustment=19",
        at.program,
        "freed",
        at.path,
        "--save",
        f"--plan={at.plan}",
        *at.disk,
        "--",
        *names,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How much an audit reads at most: bytes and seconds a night, all of the store in `every` days."""

    bytes: int
    seconds: int
    every: int


def audit(at: At, share: Share) -> Argv:
    """Read a share of the store again and compare it with what was sealed, at idle priority."""
    return (
        "ionice",
        "--class=idle",
        "nice",
        "--adjustment=19",
        at.program,
        "audit",
        at.path,
        f"--plan={at.plan}",
        f"--bytes={share.bytes}",
        f"--seconds={share.seconds}",
        f"--every={share.every}",
        *at.disk,
    )
