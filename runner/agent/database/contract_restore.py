"""Options and answers of the verbs that restore and swap databases."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional

from ..arguments import Count, Digest, FileName, Last, PathWord, Positive, Rest
from .contract import DatabaseServer


class FindDump(NamedTuple):
    """Options of `db-newest`: the folder of dumps is `inside` below `root`."""

    root: PathWord
    inside: PathWord


class DumpHead(NamedTuple):
    """What a restore must know of a dump: what it is, and what the server must have for it."""

    database: str
    dump: FileName
    sha256: Digest
    bytes: Count
    tables: Count = 0
    rows: Count = 0
    size: Count = 0
    server: str = ""
    pg_dump: str = ""
    owner: str = ""
    roles: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    tablespaces: tuple[str, ...] = ()


class RolesFile(NamedTuple):
    """A dump of the roles: its file, its SHA-256 and the roles that it makes."""

    file: FileName
    sha256: Digest
    roles: tuple[str, ...]


class NewestDump(NamedTuple):
    """Answer of `db-newest`: the newest whole dump, and why newer ones are none; `no_roles` says why the roles are."""

    record: DumpHead
    passed: tuple[str, ...]
    globals: Optional[RolesFile]
    no_roles: str = ""


class CheckFits(NamedTuple):
    """Options of `db-fits`; without a dump its summary is on stdin."""

    server: DatabaseServer
    sha256: str = ""
    into: str = ""
    bring: tuple[str, ...] = ()
    dumps: Rest = ()


class DumpFits(NamedTuple):
    """Answer of `db-fits`: roles of `bring` that it needs and lacks, databases that restores did not end making.

    `supers` are the superusers among the roles of the dump.
    """

    fits: bool
    number: int
    bring: tuple[str, ...]
    left: tuple[str, ...]
    room: Optional[int]
    supers: tuple[str, ...] = ()


class MakeRoles(NamedTuple):
    """Options of `db-roles`."""

    path: Last
    server: DatabaseServer
    sha256: str
    role: tuple[str, ...] = ()


class RolesMade(NamedTuple):
    """Answer of `db-roles`."""

    made: tuple[str, ...]
    there: tuple[str, ...]


class RestoreDump(NamedTuple):
    """Options of `db-restore` and `db-verify`: seconds (0: a week); `superuser`: all of it with our own rights."""

    dump: Last
    server: DatabaseServer
    sha256: str
    plan: str
    within: Positive = 0
    superuser: bool = False


class DumpRestored(NamedTuple):
    """Answer of `db-restore`: `left` are settings that did not come back."""

    restored: str
    left: tuple[str, ...]


class RestoreVerified(NamedTuple):
    """Answer of `db-verify`."""

    tables: Count
    rows: Count
    large_objects: Count


class PublishRestored(NamedTuple):
    """Options of `db-publish`."""

    dump: Last
    server: DatabaseServer
    sha256: str
    plan: str
    into: str


class RestorePublished(NamedTuple):
    """Answer of `db-publish`."""

    published: str


class DropRestored(NamedTuple):
    """Options of `db-drop`."""

    server: DatabaseServer
    plan: str


class RestoreDropped(NamedTuple):
    """Answer of `db-drop`: whether there was anything."""

    dropped: bool


class CheckSwap(NamedTuple):
    """Options of `db-standing`: `new` takes the place of `name`, which is called `before` from then on."""

    name: Last
    new: Last
    server: DatabaseServer
    before: str


class DatabaseSession(NamedTuple):
    """Who is connected to a database, from where and since when; None for what the server does not say."""

    user: Optional[str]
    application: Optional[str]
    client: str
    since: Optional[datetime] = None


class DatabaseMark(NamedTuple):
    """What is written on a database: `runner` is `restored` (of which dump) or `before` (it was `database` until)."""

    runner: str
    database: str = ""
    dump: str = ""
    tables: Count = 0
    rows: Count = 0
    until: Optional[datetime] = None


class SwapStanding(NamedTuple):
    """Answer of `db-standing`: whom a swap interrupts.

    `there`: the old database exists; `mark` is what is written on the new one. `sessions` are the first of the
    `connected` ones.
    """

    ready: bool
    there: bool
    mark: DatabaseMark
    sessions: tuple[DatabaseSession, ...]
    connected: Count


class SwapDatabases(NamedTuple):
    """Options of `db-swap`."""

    name: Last
    new: Last
    server: DatabaseServer
    before: str
    plan: str
    run: str = ""


class DatabasesSwapped(NamedTuple):
    """Answer of `db-swap`: what the old database is called, "" where there was none; how many sessions were ended."""

    swapped: str
    before: str
    ended: Count
