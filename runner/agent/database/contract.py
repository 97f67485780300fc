"""Options and answers of the verbs of databases and their dumps; how both sides name a database.

Those of restores are in `contract_restore`.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional

from ..arguments import Count, Last, MountPoint, PathWord, Positive, Rest, SnapshotName, SnapshotWord

MOST_BYTES = 63
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")


class DatabaseServer(NamedTuple):
    """Where a server is; "" for what libpq takes by itself. `user` is the OS user of every program.

    `programs` is the folder of psql and pg_dump where they are not found. No password is ever named here: they
    are in the passfile that libpq or the service file knows.
    """

    user: str = ""
    socket: str = ""
    service: str = ""
    service_file: str = ""
    programs: str = ""

    @property
    def before(self) -> tuple[str, ...]:
        """What goes before every program of it."""
        return ()

    @property
    def folder(self) -> str:
        """A folder that its programs share with us, and nobody else; "" where they see what we see."""
        return ""

    def conninfo(self, database: str = "", **more: str) -> str:
        """A connection string that can only mean `database`: a bare name with `=` in it would be read as one.

        Without one that of the service, or `postgres`.
        """
        known = {"service": self.service, "host": self.socket, **more}
        known["dbname"] = database or ("" if self.service else "postgres")
        return " ".join(f"{word}={_quoted(text)}" for word, text in known.items() if text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def encoded(database: str) -> str:
    """A database's name as the name of a folder: what is not a letter, digit, `_`, `-` or `.` as %XX."""
    name = database.encode("utf-8", "surrogateescape")
    text = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in name)
    return f"%2E{text[1:]}" if text.startswith(".") else text


def unfit(name: str) -> str:
    """Why no database can have this name; "" where one can: the server would cut a longer one short."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if "\0" in name:
        return "it has a NUL in it"
    if not size:
        return "it is empty"
    return f"it has {size} bytes, and {MOST_BYTES} are the most" if size > MOST_BYTES else ""


class DatabaseTrouble(NamedTuple):
    """Why a server, its programs or its dumps cannot be used, and what to do."""

    error: str
    do: str = ""


class ListDatabases(NamedTuple):
    """Options of `databases`."""

    server: DatabaseServer


class Database(NamedTuple):
    """A database of a server; its `size` in bytes is None where we may not ask.

    `restored` is when it was restored here beside the one that it is of, None for any other.
    """

    name: str
    owner: str
    size: Optional[Count]
    restored: Optional[datetime] = None


class Databases(NamedTuple):
    """Answer of `databases`: the server's version, its databases that can be connected to, those that cannot.

    `pg_dump` is the version of the one that fits; `trouble` says why there is none.
    """

    server: str
    number: int
    standby: bool
    databases: tuple[Database, ...]
    closed: tuple[str, ...] = ()
    pg_dump: str = ""
    trouble: Optional[DatabaseTrouble] = None


class ListDumps(NamedTuple):
    """Options of `dumps`."""

    to: PathWord


class DumpRow(NamedTuple):
    """A dump that counts. `time` names its file, `at` is when it was begun; `rows` are those of all tables.

    `instant` is the scheduled time that `job` made it for.
    """

    time: SnapshotName
    bytes: Count
    at: Optional[datetime] = None
    objects: Count = 0
    rows: Count = 0
    server: str = ""
    pg_dump: str = ""
    took: Optional[float] = None
    doubts: tuple[str, ...] = ()
    job: str = ""
    instant: Optional[datetime] = None


class DumpListing(NamedTuple):
    """Answer of `dumps`: the dumps in a folder, oldest first; `free` bytes are left there.

    `real` is where the folder is when every link on the way is followed. `globals` are the times of the dumps
    of roles; `odd` are files that are no dumps.
    """

    exists: bool
    free: Count
    databases: dict[str, tuple[DumpRow, ...]]
    globals: tuple[SnapshotName, ...]
    real: MountPoint = ""
    odd: tuple[str, ...] = ()


class NotDumped(NamedTuple):
    """Options of `not-dumped`."""

    to: PathWord
    job: str
    instant: str
    databases: Rest = ()


class MakeDump(NamedTuple):
    """Options of `dump`: seconds (0: six hours), seconds, percent; the scheduled time that `job` is run for."""

    to: PathWord
    at: SnapshotWord
    database: Last
    server: DatabaseServer
    within: Positive = 0
    lock_wait: Positive = 600
    max_shrink: Count = 100
    job: str = ""
    instant: str = ""


class DumpMade(NamedTuple):
    """Answer of `dump`: `complaint` is that of pg_dump, `doubts` say what has shrunk."""

    database: str
    dump: str
    bytes: Count
    objects: Count
    tables: Count
    rows: Count
    took: float
    doubts: tuple[str, ...]
    complaint: str = ""
    at: Optional[datetime] = None


class DumpGone(NamedTuple):
    """Answer of `dump` where the database is not there any more."""

    database: str
    gone: bool


class DumpGlobals(NamedTuple):
    """Options of `dump-globals`: seconds (0: ten minutes)."""

    to: PathWord
    at: SnapshotWord
    server: DatabaseServer
    within: Positive = 0


class GlobalsDumped(NamedTuple):
    """Answer of `dump-globals`; without `passwords` where we may not read them."""

    globals: str
    bytes: Count
    passwords: bool


class CheckDumps(NamedTuple):
    """Options of `dumped`."""

    to: PathWord
    at: SnapshotWord
    server: DatabaseServer
    globals: bool = False
    require: bool = False
    all: bool = False
    databases: Rest = ()


class DumpMissing(NamedTuple):
    """A database without a dump of this run; `last` is when its newest one was begun."""

    database: str
    last: Optional[datetime]


class DumpsChecked(NamedTuple):
    """Answer of `dumped`: older dumps are `spared` unless all have a good one, without doubts."""

    spared: bool
    why: str = ""
    missing: tuple[DumpMissing, ...] = ()
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()


class ExpireDump(NamedTuple):
    """Options of `expire-dump`: one database, or `globals`."""

    to: PathWord
    at: SnapshotWord
    server: DatabaseServer
    keep: Positive
    after: str
    globals: bool = False
    databases: Rest = ()


class DumpExpired(NamedTuple):
    """Answer of `expire-dump`: how many are left."""

    expired_dump: str
    database: str
    left: Count
