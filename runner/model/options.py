"""What jobs of each bundled kind say beside the common keys; see schema/kinds/.

Apart from the kinds themselves, so that jobs.toml can be read without loading what plans them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from runner.model.site import Amount


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotOptions:
    """What a `snapshot` job says beside the common keys.

    `exclude` are absolute folders or files of the host whose content is left out; `accept` those where what
    cannot be copied is no exception; `filesystems` overrides the host's and is empty for all; `timeout` ends a
    transfer that takes longer. Of `compare_every` snapshots one is compared with the source by rsync, 0 for none.
    """

    store: str
    ownership: Literal["numeric"] = "numeric"
    exclude: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    filesystems: tuple[str, ...] = ()
    timeout: timedelta = timedelta(hours=20)
    compare_every: int = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class PruneOptions:
    """What a `prune` job says: which store."""

    store: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckOptions:
    """What a `check` job says: which store, how old its newest snapshot may be, how long room must last.

    `proven_every`: the last restore that was seen to work may be this old; None where nobody asks.
    """

    store: str
    newest_within: timedelta = timedelta(hours=36)
    runway: timedelta = timedelta(days=30)
    proven_every: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditOptions:
    """What an `audit` job says: which store, how often all of it is read, how much and how long a night."""

    store: str
    every: timedelta = timedelta(days=60)
    most: Amount = Amount(bytes=100 << 30)
    within: timedelta = timedelta(hours=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class DrillOptions:
    """What a `drill` job says: what is brought back from which store, and where to on the source's host.

    `files` and `most` (bytes) bound the random sample; `canaries` are absolute paths that must come back
    from the newest snapshot, folders with all that is in them. `database` names a job of kind `dump`, ""
    for files only. `seed` is "" for another sample each time.
    """

    store: str
    files: int = 200
    most: Amount = Amount(bytes=1 << 30)
    canaries: tuple[str, ...] = ()
    database: str = ""
    scratch: str = "/var/restored/drill"
    seed: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskOptions:
    """What a `disk` job says beside the common keys: the disk of [disks] that it makes and keeps."""

    disk: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdatesOptions:
    """What an `updates` job says beside the common keys; see schema/kinds/updates.schema.json.

    `install` is "" for the family's own policy, `reboot_for` empty for the runner's own list.
    """

    install: Literal["", "security", "all", "nothing"] = ""
    restart: tuple[str, ...] = ()
    reboot_for: tuple[str, ...] = ()
    within: timedelta = timedelta(hours=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class UpgradeOptions:
    """What an `upgrade` job says beside the common keys; see schema/kinds/upgrade.schema.json.

    `packages` is empty for all that are held back, `reboot_for` for the runner's own list.
    """

    packages: tuple[str, ...] = ()
    reboot: Literal["before and after", "after", "if needed", "no"] = "if needed"
    reboot_for: tuple[str, ...] = ()
    boot_room: Amount = Amount(bytes=150 << 20)
    within: timedelta = timedelta(hours=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class RebootOptions:
    """What a `reboot` job says beside the common keys.

    `window` are the times at which it is allowed, empty for always; `announce` how long before users must
    have been told, None for not at all; `must_run` units that must be active afterwards, `database`
    whether PostgreSQL must answer, `page` an address that must. `patience` is the least that is waited
    for the host. `reason` is part of the notice to users. With `only_if_needed` nothing is done without a need.
    """

    window: tuple[str, ...] = ()
    announce: timedelta | None = None
    must_run: tuple[str, ...] = ()
    database: bool = False
    page: str = ""
    patience: timedelta = timedelta(minutes=30)
    reason: str = ""
    only_if_needed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class HaltOptions:
    """What a `halt` job says beside the common keys: `start` is what must be pressed to start the host again.

    With `stop_writers` a snapshot that is being made is cut off, to be gone on with later; otherwise the
    host is not switched off meanwhile. `window`, `announce` and `reason` as in a reboot job.
    """

    start: str
    stop_writers: bool = False
    window: tuple[str, ...] = ()
    announce: timedelta | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessOptions:
    """What an `access` job says: how far back it looks, how many rows a table has, where people come from.

    `expected` are addresses and networks: a login from there is never news.
    """

    hours: timedelta = timedelta(hours=24)
    rows: int = 10
    expected: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DumpOptions:
    """What a `dump` job says beside the common keys; see schema/kinds/dump.schema.json.

    `databases` is empty for all of them.
    """

    to: str
    databases: tuple[str, ...] = ()
    user: str = "postgres"
    service: str = ""
    service_file: str = ""
    socket: str = ""
    programs: str = ""
    keep: int = 14
    keep_for: timedelta = timedelta(days=30)
    timeout: timedelta = timedelta(hours=6)
    max_shrink: float = 50.0
