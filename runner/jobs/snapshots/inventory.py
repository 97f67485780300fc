"""runner-agent's verbs for what a host is beside its files: their argv, and what `about-of` answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.model.plan import Argv, Command, Effect, Step
from runner.model.role import Role
from runner.model.site import Site
from runner.tools.agent import At
from runner.tools.fields import objects, text, texts, whole

# The last step of a snapshot that is sealed already: whatever fails here, the snapshot counts.
_PATIENCE = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A disk, a partition, or what is built on one; sizes in bytes, "" for what is not known.

    `number` is a partition's number on its disk. `table` names the file with a disk's partition table.
    """

    name: str
    type: str = ""
    size: int = 0
    filesystem: str = ""
    label: str = ""
    uuid: str = ""
    model: str = ""
    serial: str = ""
    table: str = ""
    number: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def all(self) -> tuple[Part, ...]:
        """Itself and everything on it, outer ones first."""
        return (self, *(one for part in self.parts for one in part.all))


@dataclass(frozen=True, kw_only=True, slots=True)
class Filesystem:
    """A filesystem that was mounted; `inodes` is 0 where they are made as they are needed."""

    mount: str
    source: str
    type: str
    uuid: str = ""
    label: str = ""
    size: int = 0
    inodes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Dump:
    """The newest dump of a database in a snapshot: its file below the folder, its time and server."""

    database: str
    file: str
    time: str = ""
    server: str = ""
    bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Dumps:
    """A folder of dumps in a snapshot, as it is called on the host; `roles` is a file below it or ""."""

    folder: str
    roles: str = ""
    databases: tuple[Dump, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What a snapshot's host was. `known` is false where nothing was kept; `missing` says what could not be.

    `family` is debian, redhat or "", `firmware` efi or bios, `files` are in `folder` on the store's host.
    """

    known: bool = False
    folder: str = ""
    files: tuple[str, ...] = ()
    hostname: str = ""
    system: str = ""
    family: str = ""
    kernel: str = ""
    firmware: str = ""
    disks: tuple[Part, ...] = ()
    filesystems: tuple[Filesystem, ...] = ()
    swaps: tuple[Part, ...] = ()
    missing: tuple[str, ...] = ()
    dumps: tuple[Dumps, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeping:
    """Which steps told what is to be kept, the SHA-256 of jobs.toml, and the host's folders of dumps."""

    about: str
    site: str
    digest: str
    dumps: tuple[str, ...]


def look(program: str) -> Argv:
    """Print as JSON what this host is. Reads only."""
    return (program, "about")


def keep(at: At, name: str, keeping: Keeping) -> Argv:
    """Leave it beside snapshot `name`, with jobs.toml."""
    return (
        at.program,
        "keep-about",
        at.path,
        name,
        f"--plan={at.plan}",
        f"--about={keeping.about}",
        f"--site={keeping.site}",
        f"--site-sha256={keeping.digest}",
        *(f"--dumps={one}" for one in keeping.dumps),
        *at.disk,
    )


def of(store: str, name: str, dumps: Sequence[str]) -> Argv:
    """The words of `about-of`: what was kept beside snapshot `name`, and the dumps in it. Reads only."""
    return ("about-of", store, name, *(f"--dumps={one}" for one in dumps))


def read_site(path: str) -> Argv:
    """Print the site's jobs.toml (cat(1))."""
    return ("cat", "--", path)


def parse(answer: Mapping[str, Any]) -> About:
    """Read what `about-of` printed; whatever is missing or makes no sense is left empty."""
    facts = answer.get("facts")
    told: Mapping[str, Any] = facts if isinstance(facts, dict) else {}
    return About(
        known=bool(told),
        folder=text(answer.get("folder")),
        files=texts(answer.get("files")),
        hostname=text(told.get("hostname")),
        system=text(told.get("system")),
        family=text(told.get("family")),
        kernel=text(told.get("kernel")),
        firmware=text(told.get("firmware")),
        disks=tuple(_part(one, "") for one in objects(told.get("disks"))),
        filesystems=tuple(_filesystem(one) for one in objects(told.get("filesystems"))),
        swaps=tuple(_part(one, "") for one in objects(told.get("swaps"))),
        missing=texts(told.get("missing")),
        dumps=tuple(_dumps(one) for one in objects(answer.get("dumps"))),
    )


def _part(one: Mapping[str, Any], disk: str) -> Part:
    name, kind = text(one.get("name")), text(one.get("type"))
    number = name.removeprefix(disk).removeprefix("p") if disk and kind == "part" else ""
    return Part(
        name=name,
        type=kind,
        size=whole(one.get("size")) or 0,
        filesystem=text(one.get("fstype")),
        label=text(one.get("label")),
        uuid=text(one.get("uuid")),
        model=text(one.get("model")),
        serial=text(one.get("serial")),
        table=text(one.get("table")),
        number=number if number.isdigit() else "",
        parts=tuple(_part(each, name if kind == "disk" else "") for each in objects(one.get("parts"))),
    )


def _filesystem(one: Mapping[str, Any]) -> Filesystem:
    return Filesystem(
        mount=text(one.get("mount")),
        source=text(one.get("source")),
        type=text(one.get("type")),
        uuid=text(one.get("uuid")),
        label=text(one.get("label")),
        size=whole(one.get("size")) or 0,
        inodes=whole(one.get("inodes")) or 0,
    )


def _dumps(one: Mapping[str, Any]) -> Dumps:
    databases = tuple(
        Dump(
            database=text(each.get("database")),
            file=text(each.get("dump")),
            time=text(each.get("time")),
            server=text(each.get("server")),
            bytes=whole(each.get("bytes")) or 0,
        )
        for each in objects(one.get("databases"))
    )
    return Dumps(folder=text(one.get("folder")), roles=text(one.get("globals")), databases=databases)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Of which host (and where runner-agent is on it), beside which snapshot of the store at `at`."""

    job: str
    host: str
    program: str
    keeper: str
    at: At
    name: str


def steps(site: Site, kept: Kept) -> tuple[Step, ...]:
    """Look, read jobs.toml, keep both."""
    asked, read = f"{kept.job}/about", f"{kept.job}/site"
    keeping = Keeping(about=asked, site=read, digest=site.digest, dumps=dumps(site, kept.host))
    return (
        Step(
            id=asked,
            role=Role.ABOUT,
            job=kept.job,
            host=kept.host,
            effect=Effect.READ,
            timeout=_PATIENCE,
            action=Command(argv=look(kept.program)),
            why=f"what {kept.host} is beside its files: disks, partitions, packages, boot loader, network",
        ),
        Step(
            id=read,
            role=Role.SITE,
            job=kept.job,
            host=site.controller,
            effect=Effect.READ,
            ok_codes=(0, 1),
            action=Command(argv=read_site(f"{site.folder}/jobs.toml")),
            why="jobs.toml, which says what this store is",
        ),
        Step(
            id=f"{kept.job}/keep-about",
            role=Role.KEEP,
            job=kept.job,
            host=kept.keeper,
            effect=Effect.WRITE,
            timeout=_PATIENCE,
            action=Command(argv=keep(kept.at, kept.name, keeping)),
            inputs=(asked, read),
            why="so that the disk alone is enough to make the machine again",
        ),
    )


def dumps(site: Site, host: str) -> tuple[str, ...]:
    """The folders of a host that jobs of kind `dump` fill."""
    return tuple(dict.fromkeys(str(job.options.to) for job in site.jobs if job.kind == "dump" and job.host == host))
