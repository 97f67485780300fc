"""What was read from the hosts before planning, and what could not be read, and why.

`probe` of runner-agent prints this shape as JSON; unknown numbers are None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from runner.model.attempt import Attempt
from runner.model.names import AbsolutePath, Count, Digest, MachineId, PlainWord, SnapshotName, SnapshotNameOrNone, Uuid
from runner.model.role import Role
from runner.model.stored import DamagedFilesystem, Filled, Rates

# The most characters that are read of what a probe's command printed.
PRINTED = 64 * 1024 * 1024
# The type of a folder that stands in for a filesystem, in the sandbox.
STAND_IN = "stand-in"

# A step that took some time: its job, its role and what it is about.
Timed = tuple[str, Role, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Filesystem:
    """A mounted filesystem: `dev` is its device number, `root` the part of it that is mounted: a folder or a `file`."""

    mount: AbsolutePath
    source: str
    type: str
    dev: Count
    root: str = "/"
    uuid: Uuid = ""
    size: Count = 0
    used: Count = 0
    inodes_used: Count = 0
    file: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Rsync:
    """The rsync of a host; `version` is "" where there is none, and it `trusts` where it takes --trust-sender."""

    version: PlainWord = ""
    checksums: tuple[PlainWord, ...] = ()
    trusts: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Proven:
    """A drill that succeeded: what is in `snapshot` came back whole at `at` (UTC)."""

    snapshot: SnapshotName
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A sealed snapshot as its record describes it. Sizes in bytes, times UTC.

    `added_bytes` (how long the files are) and `added_files` count what the snapshot brought that no other had,
    `added_room` what that takes of the disk, None in the record of an older runner; `instant` is the scheduled
    time that it was made for, None where it was made by hand, `plan` the id of the plan that made it, `machine` the
    machine-id of the host that was copied, "" where that is not known; `exceptions`
    is None where its record cannot be read. A pin holds until `pinned_until`; `being_read` while a restore has it
    open. `freed_bytes` and `freed_inodes` are what the disk gains when it is expired together with every older
    one, None if not measured. `filled` says what was at its mount points. `proven` names the sorts (files,
    database) whose last drill was of this snapshot.
    """

    name: SnapshotName
    started: datetime | None = None
    sealed: datetime | None = None
    host: str = ""
    job: str = ""
    filesystems: tuple[AbsolutePath, ...] = ()
    files: Count | None = None
    folders: Count | None = None
    added_files: Count | None = None
    added_bytes: Count | None = None
    added_room: Count | None = None
    instant: datetime | None = None
    plan: str = ""
    machine: MachineId = ""
    exceptions: Count | None = 0
    recorded: bool = True
    pinned_until: datetime | None = None
    pinned_why: str = ""
    being_read: bool = False
    freed_bytes: Count | None = None
    freed_inodes: Count | None = None
    proven: tuple[str, ...] = ()
    filled: tuple[Filled, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Partial:
    """An interrupted snapshot, begun by `plan`; it counts for nothing and is only a basis to resume from.

    `kept` are those that it took up, newest first. How its transfer ended, None where nobody could note it: `full`, for
    room, with `free` bytes and `inodes_free` of the disk then; `sent` bytes and `inodes_sent` are about what it takes.
    """

    name: SnapshotName
    basis: SnapshotNameOrNone = ""
    filesystems: tuple[AbsolutePath, ...] = ()
    full: bool | None = None
    free: Count | None = None
    inodes_free: Count | None = None
    sent: Count | None = None
    inodes_sent: Count | None = None
    plan: str = ""
    kept: tuple[SnapshotName, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Aside:
    """A snapshot that a person took out of the count: of which host, and what it brought that none before it had."""

    name: SnapshotName
    host: str = ""
    room: Count | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds a store's lock: `plan` is the id of the plan it works on."""

    plan: str = ""
    who: str = ""
    pid: Count = 0
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """statvfs of a store, in bytes and inodes; `free` is what root may still use.

    `last` and `inodes_last` are the last of it: with less free no transfer begins or goes on. `system` is the part of
    its host's system that is on the same filesystem, `/` or `/var`, "" for none.
    """

    size: Count
    free: Count
    inodes: Count
    inodes_free: Count
    last: Count = 0
    inodes_last: Count = 0
    system: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreFacts:
    """A store as it was read. `path` is where it really is. `problem` says why it cannot be used.

    `mounted`: the store's own device differs from its parent's, or `disk mount` contains it. `whole_seconds`: the disk
    cannot hold nanoseconds. `rotational`: it turns. `proven` is the last successful drill of each sort, `files` and
    `database`; a sort that never succeeded is not in it. `unread` are files and folders in it that are there and cannot
    be read, and may say that a snapshot has to stay; `odd` are others. `lacks` are those of nosuid and nodev that it is
    mounted without, `open` its own folders that others may enter, `foreign` some of what is in it beside it. `aside`
    are snapshots out of the count, `lost` those of which only the record is left, `written_off` those whose record was
    put aside since. `damaged` is what audits found of each filesystem. `doubted` is why its history cannot be relied
    on, so that nothing may expire; no host says that. `rates` are those of our key, if any.
    """

    path: AbsolutePath
    exists: bool
    mounted: bool = False
    writable: bool = False
    uuid: Uuid = ""
    device: str = ""
    problem: str = ""
    whole_seconds: bool = False
    rotational: bool | None = None
    sealed: tuple[Snapshot, ...] = ()
    partials: tuple[Partial, ...] = ()
    trash: tuple[str, ...] = ()
    aside: tuple[Aside, ...] = ()
    lost: tuple[SnapshotName, ...] = ()
    written_off: tuple[SnapshotName, ...] = ()
    unread: tuple[AbsolutePath, ...] = ()
    odd: tuple[AbsolutePath, ...] = ()
    holder: Holder | None = None
    space: Space | None = None
    proven: Mapping[str, Proven] = field(default_factory=dict)
    lacks: tuple[Literal["nosuid", "nodev"], ...] = ()
    open: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    damaged: tuple[DamagedFilesystem, ...] = ()
    doubted: str = ""
    rates: Rates | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How a probe's command ended: its exit code (None: it could not be started) and its output."""

    exit: int | None
    out: Annotated[str, PRINTED] = ""
    err: Annotated[str, PRINTED] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostFacts:
    """One host as read in one round trip; `error` says why nothing is known about it, and `do` the remedy, if known.

    `program` is the SHA-256 of the runner-agent that is installed there, `former` is true where the file that it was
    called before is there too. `inside` is what is really mounted in what plays a host's filesystems. `shell`
    is what the login shell there prints before each command. `machine` is its machine-id. `served` is the key of its
    policy that we come with. Each "" where there is none. `attempts` are what that policy refused.
    """

    name: str
    error: str = ""
    do: str = ""
    uid: Count | None = None
    machine: MachineId = ""
    boot_id: PlainWord = ""
    kernel: str = ""
    now: datetime | None = None
    program: Digest = ""
    former: bool = False
    rsync: Rsync = Rsync()
    filesystems: tuple[Filesystem, ...] = ()
    inside: tuple[Filesystem, ...] = ()
    stores: Mapping[str, StoreFacts] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    shell: str = ""
    served: str = ""
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """A READ command whose output somebody wants when planning; found under `id` in `readings`.

    `needs` as in a step: a probe that needs a device is not asked in the sandbox.
    """

    id: str
    host: str
    argv: tuple[str, ...]
    needs: tuple[str, ...] = ()
    timeout: int = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Announced:
    """The users were notified at `notified` that a job will interrupt them at `at`; both UTC."""

    at: datetime
    notified: datetime
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundMachine:
    """The machine that a host of jobs.toml is, by its id, and those that it was before a person said so."""

    machine: MachineId
    former: tuple[MachineId, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrote:
    """That a job sealed `names`, in order, from `first` to `last` at `path`, on the disk `uuid` ("": none declared)."""

    path: str
    uuid: str
    first: datetime
    last: datetime
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """All hosts that were asked, by name, and the time (UTC, the controller's) of asking.

    `program` is the SHA-256 of the runner-agent that this runner ships. From the journal: `last` is when
    each job last succeeded, `wrote` where it sealed its snapshots, `took` how many seconds a step took when it was
    last done, newest first, and `announced` is the interruption that each job has announced to the users. `bound` are
    the machines that the hosts were when a run last acted on them.
    """

    at: datetime
    hosts: Mapping[str, HostFacts]
    program: str = ""
    last: Mapping[str, datetime] = field(default_factory=dict)
    wrote: Mapping[str, tuple[Wrote, ...]] = field(default_factory=dict)
    took: Mapping[Timed, tuple[float, ...]] = field(default_factory=dict)
    announced: Mapping[str, Announced] = field(default_factory=dict)
    bound: Mapping[str, BoundMachine] = field(default_factory=dict)

    def reading(self, host: str, probe: str) -> Reading | None:
        """What probe `probe` read on `host`; None where it was not asked, or the host did not answer."""
        facts = self.hosts.get(host)
        return facts.readings.get(probe) if facts else None
