"""Options and answers of the verbs of an inventory: what a host is besides its files."""

from __future__ import annotations

from typing import NamedTuple

from ..arguments import Count, DeclaredDisk, Digest, FileNameOrNone, PathWord, SnapshotWord


class BlockDevice(NamedTuple):
    """A disk, a partition, or what is built on one; sizes in bytes, "" for what is not known.

    `table` names the file with a disk's partition table.
    """

    name: str
    type: str = ""
    size: Count = 0
    fstype: str = ""
    label: str = ""
    uuid: str = ""
    mountpoint: str = ""
    model: str = ""
    serial: str = ""
    parts: tuple[BlockDevice, ...] = ()
    table: FileNameOrNone = ""

    @property
    def all(self) -> tuple[BlockDevice, ...]:
        """Itself and everything on it, outer ones first."""
        return (self, *(device for part in self.parts for device in part.all))


class MountedFilesystem(NamedTuple):
    """A filesystem that was mounted; `inodes` is 0 where they are made as they are needed."""

    mount: str
    source: str
    type: str
    uuid: str = ""
    label: str = ""
    size: Count = 0
    inodes: Count = 0


class MachineFacts(NamedTuple):
    """What a host is. `family` is debian, redhat or "", `firmware` efi or bios, `boot` what there is of a boot loader.

    `missing` says what could not be read. `dumps` are the host's folders of dumps, known where this is kept.
    """

    format: int = 0
    hostname: str = ""
    system: str = ""
    family: str = ""
    machine: str = ""
    kernel: str = ""
    firmware: str = ""
    boot: tuple[str, ...] = ()
    disks: tuple[BlockDevice, ...] = ()
    filesystems: tuple[MountedFilesystem, ...] = ()
    swaps: tuple[BlockDevice, ...] = ()
    missing: tuple[str, ...] = ()
    dumps: tuple[str, ...] = ()


class About(NamedTuple):
    """Answer of `about`: the facts, and texts by the name of the file they are kept in."""

    facts: MachineFacts
    files: dict[str, str]


class AboutOf(NamedTuple):
    """Options of `about-of`: folders of dumps, beside those that are kept with the snapshot."""

    store: PathWord
    name: SnapshotWord
    dumps: tuple[str, ...] = ()


class DatabaseDump(NamedTuple):
    """The newest dump of a database in a snapshot that counts: its file below the folder, its time and server.

    `data` is the server's data folder, `tables` and `rows` are what its record counted; `roles` and `tablespaces`
    must be there before it. `passed` says why newer ones do not count.
    """

    database: str
    dump: str
    time: str = ""
    bytes: Count = 0
    server: str = ""
    owner: str = ""
    sha256: Digest = ""
    tables: Count = 0
    rows: Count = 0
    encoding: str = ""
    collate: str = ""
    ctype: str = ""
    data: str = ""
    roles: tuple[str, ...] = ()
    tablespaces: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()


class Tablespace(NamedTuple):
    """A tablespace and its folder; "" for one that is in the data folder."""

    name: str
    folder: str = ""


class DatabaseLacking(NamedTuple):
    """A database none of whose dumps counts, and why."""

    database: str
    why: str


class SnapshotDumps(NamedTuple):
    """A folder of dumps in a snapshot, as it is called on the host; `globals` is a file below it or "".

    `tablespaces` are those that `globals` makes. `problem` says why the folder cannot be read.
    """

    folder: str
    globals: str = ""
    databases: tuple[DatabaseDump, ...] = ()
    tablespaces: tuple[Tablespace, ...] = ()
    lacking: tuple[DatabaseLacking, ...] = ()
    problem: str = ""


class StoredAbout(NamedTuple):
    """Answer of `about-of`: what a snapshot's host was, and the dumps in it.

    `files` are in `folder` on the store's host. Where nothing was kept, the facts are empty; `problem` says why
    they cannot be read.
    """

    folder: str
    facts: MachineFacts = MachineFacts()
    files: tuple[str, ...] = ()
    dumps: tuple[SnapshotDumps, ...] = ()
    problem: str = ""

    @property
    def known(self) -> bool:
        """Whether anything was kept of the host."""
        return self.facts != MachineFacts()


class KeepAbout(NamedTuple):
    """Options of `keep-about`: the steps that printed `about` and jobs.toml, whose SHA-256 the plan knows."""

    store: PathWord
    name: SnapshotWord
    plan: str
    about: str
    site: str
    site_sha256: str
    dumps: tuple[str, ...] = ()
    disk: DeclaredDisk = DeclaredDisk()


class AboutKept(NamedTuple):
    """Answer of `keep-about`: how many files there are, how many of them are new, whether jobs.toml is kept."""

    kept: str
    files: Count
    fresh: Count
    site: bool
