"""The options of the verbs of a snapshot, their answers, and the record of one."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ..arguments import (
    AbsolutePath,
    Count,
    DeclaredDisk,
    MachineId,
    MountPoint,
    PathsRest,
    PathWord,
    SnapshotName,
    SnapshotNameOrNone,
    SnapshotWord,
    Uuid,
)


class NotSealed(NamedTuple):
    """Options of `not-sealed`."""

    store: PathWord
    job: str
    instant: str


class Begin(NamedTuple):
    """Options of `begin`: `points` are the mount points that are received, `share` what they share files with.

    Those in `whole` are sent whole. `instant` is the scheduled time that `job` is run for, "" for none.
    """

    store: PathWord
    name: SnapshotWord
    points: PathsRest
    plan: str
    basis: SnapshotNameOrNone
    resume: tuple[SnapshotName, ...] = ()
    disk: DeclaredDisk = DeclaredDisk()
    share: tuple[str, ...] = ()
    job: str = ""
    instant: str = ""
    whole: tuple[AbsolutePath, ...] = ()


class Begun(NamedTuple):
    """Answer of `begin`; `uuid` is that of the declared disk, "" for none."""

    partial: str
    whole_seconds: bool
    uuid: Uuid = ""


class Explain(NamedTuple):
    """Options of `explain`."""

    source: PathWord
    since: str


class Explained(NamedTuple):
    """A line of `explain`: a name, rsync's item for it, why it differs, and the errno that shows it (0 for none)."""

    path: str
    item: str
    cause: str
    errno: int


class Explanation(NamedTuple):
    """Answer of `explain`, its last line: how many names have each cause, and how the comparison ended."""

    counts: dict[str, Count]
    look_exit: int


class Walk(NamedTuple):
    """Options of `walk`: what is in `emptied` is not copied, and neither are `left_out` themselves.

    Where `look` made a record for `name` in the folder `scans` before all was sent, what it counted must be in the
    copy, and the next look may go by that record; `looked` names the step whose output compares what was sent.
    """

    source: PathWord
    since: str
    emptied: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    scans: MountPoint = ""
    name: SnapshotNameOrNone = ""
    looked: str = ""


class Walked(NamedTuple):
    """A line of `walk`: a folder that was not entered, and why; or how many `names` in it must be in the copy."""

    path: str
    cause: str
    errno: int
    names: Count


class WalkedNames(NamedTuple):
    """Answer of `walk`, its last line: how many names must be in the copy, and how many that changed since need not."""

    names: Count
    young: Count


class Seal(NamedTuple):
    """Options of `seal`: `transfer`, `explained`, `walked` and `settled` are STEP=/MOUNTPOINT.

    What cannot be copied at or below an `accept` path is counted apart, and is no exception. `machine` is the id
    of the machine that it was copied from, "" for one that has none.
    """

    store: PathWord
    name: SnapshotWord
    plan: str
    host: str
    job: str
    started: str
    checksum: str
    transfer: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    walked: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    absent: tuple[AbsolutePath, ...] = ()
    disk: DeclaredDisk = DeclaredDisk()
    accept: tuple[AbsolutePath, ...] = ()
    machine: MachineId = ""


class Sealed(NamedTuple):
    """Answer of `seal`: `exceptions_new` are those that the snapshot before did not have, `accepted` are none.

    `added_bytes` is how long the new files are, `added_room` what they take of the disk: holes take nothing. `missed`
    names differed by rsync's comparison, and the record of the last look had not shown it.
    """

    sealed: SnapshotName
    files: Count
    added_files: Count
    added_bytes: Count
    exceptions: Count
    exceptions_new: Count
    unsummed: Count
    vanished: Count
    changed: Count
    seconds: float
    added_room: Optional[Count] = None
    accepted: Count = 0
    missed: Count = 0


class CopiedFilesystem(NamedTuple):
    """A filesystem in a snapshot, as its transfer counted it; the oldest records do not say the folders."""

    mount: str
    exit: int
    files: Count
    size: Count
    folders: Optional[Count] = None


class SnapshotException(NamedTuple):
    """A name that is not in the snapshot as it was at the source, and why."""

    path: str
    cause: str


class LeftBehind(NamedTuple):
    """What `snapshot` has at `mount` and the one made of it has not: its folders, and inodes whose names all went."""

    snapshot: SnapshotName
    mount: AbsolutePath
    bytes: Count
    inodes: Count


class SnapshotRecord(NamedTuple):
    """The record of a snapshot, which `record` answers; `exceptions_list` has the first of the `exceptions`.

    `instant` is the scheduled time that it was made for, None for none. `added_room` as in `Sealed`, None in the
    record of an older agent. `machine` is the machine-id of the source, "" where that is not known. `older` are
    the snapshots before `basis` with which it may share too, and `shared` how many files it does. `left`: as counted.
    """

    format: int
    name: str
    host: str
    job: str
    plan: str
    started: str
    sealed: str
    basis: str
    resumed: tuple[str, ...]
    filesystems: tuple[CopiedFilesystem, ...]
    files: Count
    added_files: Count
    added_bytes: Count
    exceptions: Count
    exceptions_by_cause: dict[str, Count]
    exceptions_new: Count
    exceptions_list: tuple[SnapshotException, ...]
    checksum: str
    summed: Count
    unsummed: Count
    whole_seconds: bool
    instant: Optional[str] = None
    added_room: Optional[Count] = None
    machine: MachineId = ""
    older: tuple[str, ...] = ()
    shared: Optional[Count] = None
    left: tuple[LeftBehind, ...] = ()


class Find(NamedTuple):
    """Options of `find`; the path is on stdin."""

    store: PathWord


class FileVersion(NamedTuple):
    """The same file in `snapshots` snapshots, from `first` to `last`; `target` is that of a symbolic link."""

    first: SnapshotName
    last: SnapshotName
    snapshots: Count
    type: str
    size: Count
    mtime_ns: int
    mode: int
    uid: int
    gid: int
    inode: int
    target: Optional[str] = None


class Versions(NamedTuple):
    """Answer of `find`, oldest first; `missing` counts the snapshots without it."""

    versions: tuple[FileVersion, ...]
    missing: Count


class Search(NamedTuple):
    """Options of `search`; the pattern is on stdin."""

    store: PathWord
    snapshot: SnapshotWord


class NameFound(NamedTuple):
    """A name that matches, by its path on its host."""

    path: str
    type: str
    size: Count
    mtime_ns: int


class NamesFound(NamedTuple):
    """Answer of `search`: the first names, and how many there are in all."""

    names: tuple[NameFound, ...]
    total: Count


class Diff(NamedTuple):
    """Options of `diff`; the path is on stdin."""

    store: PathWord
    older: SnapshotWord
    newer: SnapshotWord


class SnapshotDifference(NamedTuple):
    """A line of `diff`: what changed; `size` is that of the newer file, or of the one removed."""

    change: str
    path: str
    size: Count


class DiffCounts(NamedTuple):
    """Answer of `diff`, its last line: how many names changed in each way."""

    counts: dict[str, Count]
