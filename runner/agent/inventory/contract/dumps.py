"""The dumps of databases in a snapshot, as they are answered."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, Digest


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
