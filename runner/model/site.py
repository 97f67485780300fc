"""The site as jobs.toml declares it: the only configuration object, complete and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from runner.model.plan import Effect


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """A share of a disk (0 to 100) or a number of bytes; exactly one of the two is set."""

    percent: float | None = None
    bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Thin:
    """Keep `count` snapshots, the newest of each `period`; all periods where `count` is None."""

    period: Literal["daily", "weekly", "monthly", "yearly"]
    count: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How many sealed snapshots a store keeps, how much room stays free, and when to doubt.

    `per_day` is how many of one job and day count towards `min` and `max`, 0 for all. A plan that expires more than
    `expire_usual` is unusual. `thin` is empty for no thinning. `max_shrink` (percent of the files of the snapshot
    before) is how much smaller a source may have become before nothing is expired any more.
    """

    min: int
    max: int
    per_day: int = 0
    expire_usual: int = 0
    free_space: Amount | None = None
    free_inodes: Amount | None = None
    thin: tuple[Thin, ...] = ()
    max_shrink: float = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """A machine. `root` is "" when live; in the sandbox it is the folder that plays the machine,
    and `stand_ins` are the real folders that play its filesystems (read only).

    `filesystems` is empty for "all": every local filesystem, found when the plan is made. `confined` is False where
    the host cannot confine what hears another.
    """

    name: str
    address: str
    user: str = "root"
    port: int = 22
    jump: str = ""
    key: str = ""
    packages: str = ""
    hold: tuple[str, ...] = ()
    filesystems: tuple[str, ...] = ()
    confined: bool = True
    root: str = ""
    stand_ins: tuple[str, ...] = ()

    def at(self, path: str) -> str:
        """Where the absolute `path` of this host really is: below `root` in the sandbox."""
        return self.root + path if self.root else path


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """A disk of a host: what it is made from, where it is mounted, how often it is checked.

    Whether it is `rotational` the kernel is asked where that is None.
    """

    name: str
    host: str
    device: str
    mount: str
    filesystem: str = "ext3"
    bytes_per_inode: int = 4096
    fsck_every: timedelta | None = None
    uuid: str = ""
    rotational: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """A folder of snapshots on a host, kept by `retention`; `disk` is the disk it must be on."""

    name: str
    host: str
    path: str
    disk: str = ""
    retention: Retention | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One thing to keep doing. `options` is the kind's own dataclass; `after` names other jobs.

    `runs_on` is the host whose runner starts it, "" for the controller. `instant` is the scheduled time (UTC)
    that this run of it is for, None for none; jobs.toml says nothing of it.
    """

    name: str
    kind: str
    host: str
    options: Any
    schedule: str = ""
    after: tuple[str, ...] = ()
    runs_on: str = ""
    instant: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """A plugin in use: `module` is what is imported, `settings` its own checked options."""

    name: str
    module: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """Who hears what: mail addresses."""

    admin: tuple[str, ...] = ()
    experts: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


T = TypeVar("T", Host, Disk, Store, Job)


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Everything jobs.toml says. `folder` holds jobs.toml, `state` the journal and spools,
    `sandbox` is the folder that stands in for the site while `live` is false. All three absolute.
    `keepers` is the file of those who sign plans, where `two_keepers` have to.
    `digest` is the SHA-256 of the file's bytes. `controller` is the host that this runner is on, and
    `elsewhere` are the jobs that the runner of another host starts, which is their `runs_on` then.
    """

    name: str
    controller: str
    folder: str
    state: str
    sandbox: str
    digest: str
    timezone: str = "UTC"
    live: bool = False
    unattended: Effect = Effect.EXPIRE
    restored_keep: timedelta = timedelta(days=30)
    known_hosts: str = ""
    ask_code: bool = False
    two_keepers: bool = False
    keepers: str = ""
    people: People = People()
    hosts: tuple[Host, ...] = ()
    disks: tuple[Disk, ...] = ()
    stores: tuple[Store, ...] = ()
    jobs: tuple[Job, ...] = ()
    elsewhere: tuple[Job, ...] = ()
    hooks: tuple[Hook, ...] = ()

    @property
    def journal(self) -> str:
        """The file of the journal."""
        return f"{self.state}/journal.sqlite"

    def host(self, name: str) -> Host:
        """The host of that name; KeyError if jobs.toml has none (the loader checks every name)."""
        return _named(self.hosts, name)

    def disk(self, name: str) -> Disk:
        """The disk of that name; KeyError if there is none."""
        return _named(self.disks, name)

    def store(self, name: str) -> Store:
        """The store of that name; KeyError if there is none."""
        return _named(self.stores, name)

    def job(self, name: str) -> Job:
        """The job of that name; KeyError if there is none."""
        return _named(self.jobs, name)


def _named(values: tuple[T, ...], name: str) -> T:
    for value in values:
        if value.name == name:
            return value
    raise KeyError(name)
