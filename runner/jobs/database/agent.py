"""PostgreSQL: how a database is named to its programs, what runner-agent's verbs for dumps want and say."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.model.facts import Reading
from runner.model.plan import Argv
from runner.tools import detached, fields

USER = "postgres"
# As probes: the program that probes answers them itself, so that nothing need be installed.
_PROBE = "runner-agent"
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How a server is reached: as OS user `user` by the socket in folder `socket`, or by a `service`.

    "" for what libpq does by itself. `programs` is the folder of psql and pg_dump where they are not found.
    """

    user: str = USER
    socket: str = ""
    service: str = ""
    service_file: str = ""
    programs: str = ""

    @property
    def words(self) -> Argv:
        """As options of runner-agent's verbs."""
        known = {
            "user": self.user,
            "socket": self.socket,
            "service": self.service,
            "service-file": self.service_file,
            "programs": self.programs,
        }
        return tuple(f"--{name}={value}" for name, value in known.items() if value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Into:
    """A folder of dumps on a host, how its server is reached, and the time that this run's dumps are named by."""

    program: str
    to: str
    at: str
    reach: Reach


def conninfo(database: str, *, socket: str = "", service: str = "") -> str:
    """A connection string that can only mean `database`: a bare name with `=` in it would be read as one."""
    known = {"service": service, "host": socket, "dbname": database}
    return " ".join(f"{word}={_quoted(text)}" for word, text in known.items() if text)


def as_user(user: str, argv: Sequence[str]) -> Argv:
    """`argv` run by an OS user, for a host where we are root; runuser(1)."""
    return ("runuser", "-u", user, "--", *argv)


def encoded(database: str) -> str:
    """The name of the folder of a database's dumps: what is not a letter, digit, `_`, `-` or `.` as %XX."""
    text = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(database))
    return f"%2E{text[1:]}" if text.startswith(".") else text


def hold(program: str, plan: str, who: str) -> Argv:
    """Take the host's lock on dumps and keep it until stdin ends."""
    return detached.hold_host(program, "dump", plan, who)


def databases(reach: Reach, program: str = _PROBE) -> Argv:
    """Print the server's databases as JSON; exit 1 where it does not answer. Reads only."""
    return (program, "databases", *reach.words)


def dumps(to: str, program: str = _PROBE) -> Argv:
    """Print as JSON which dumps are in the folder `to`. Reads only."""
    return (program, "dumps", to)


def dump(into: Into, database: str, *, within: int, max_shrink: float) -> Argv:
    """Write one database into the folder, seen to be whole. `within` are seconds, `max_shrink` percent."""
    limits = (f"--within={within}", f"--max-shrink={int(max_shrink)}")
    return (into.program, "dump", into.to, into.at, *into.reach.words, *limits, "--", database)


def dump_globals(into: Into, *, within: int) -> Argv:
    """Write the roles and tablespaces of the server into the folder."""
    return (into.program, "dump-globals", into.to, into.at, *into.reach.words, f"--within={within}")


def dumped(into: Into, database: str = "") -> Argv:
    """Print as JSON whether older dumps of a database (the roles without one) are spared. Reads only."""
    what = ("--", database) if database else ("--globals",)
    return (into.program, "dumped", into.to, into.at, *what)


def all_dumped(into: Into, databases: Sequence[str], *, every: bool) -> Argv:
    """End 1 unless these databases and the roles have a good dump of this run. Reads only.

    With `every` it is said as well which databases of the server are not among them.
    """
    flags = ("--globals", "--require", *(("--all",) if every else ()))
    return (into.program, "dumped", into.to, into.at, *into.reach.words, *flags, "--", *databases)


def expire(into: Into, time: str, database: str = "", *, keep: int) -> Argv:
    """Remove one old dump of a database (the roles without one), if the folder can spare it."""
    what = ("--", database) if database else ("--globals",)
    who = tuple(word for word in into.reach.words if word.startswith("--user="))
    return (into.program, "expire-dump", into.to, time, *who, f"--keep={keep}", f"--after={into.at}", *what)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A server as it answered, or in `error` why not, with what to `do`. `trouble`: nothing here can dump it.

    `databases` are the sizes on its disk by name, None where we may not ask; nobody can connect to `closed` ones.
    """

    error: str = ""
    do: str = ""
    server: str = ""
    pg_dump: str = ""
    trouble: str = ""
    standby: bool = False
    databases: Mapping[str, int | None] = field(default_factory=dict)
    closed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Dump:
    """A dump that counts. `time` names its file, `at` (ISO 8601) is when it was begun; `rows` of all tables."""

    time: str
    at: str = ""
    bytes: int = 0
    objects: int = 0
    rows: int = 0
    server: str = ""
    pg_dump: str = ""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What is in a folder of dumps, oldest first; `free` bytes are left there, None if that is not known.

    `real` is where the folder is when every link on the way is followed.
    `roles` are the times of the dumps of roles; `odd` are files that are no dumps.
    """

    error: str = ""
    free: int | None = None
    real: str = ""
    databases: Mapping[str, tuple[Dump, ...]] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()


def parse_databases(reading: Reading | None) -> Found:
    """What `databases` answered."""
    told = fields.last_object(reading.out) if reading else {}
    if not isinstance(told.get("databases"), list):
        why = fields.text(told.get("error")) or "it could not be asked which databases there are"
        return Found(error=why, do=fields.text(told.get("do")))
    known = fields.objects(told["databases"])
    trouble = told.get("trouble")
    return Found(
        server=fields.text(told.get("server")),
        pg_dump=fields.text(told.get("pg_dump")),
        trouble=fields.text(trouble.get("error")) if isinstance(trouble, dict) else "",
        do=fields.text(trouble.get("do")) if isinstance(trouble, dict) else "",
        standby=told.get("standby") is True,
        databases={fields.text(one.get("name")): fields.whole(one.get("size")) for one in known},
        closed=fields.texts(told.get("closed")),
    )


def parse_dumps(reading: Reading | None) -> Kept:
    """What `dumps` answered."""
    told = fields.last_object(reading.out) if reading else {}
    known = told.get("databases")
    if not isinstance(known, dict):
        return Kept(error=fields.text(told.get("error")) or "the folder of dumps could not be read")
    return Kept(
        free=fields.whole(told.get("free")),
        real=fields.text(told.get("real")),
        databases={name: tuple(map(_dump, fields.objects(found))) for name, found in known.items()},
        roles=fields.texts(told.get("globals")),
        odd=fields.texts(told.get("odd")),
    )


def _dump(told: Mapping[str, Any]) -> Dump:
    return Dump(
        time=fields.text(told.get("time")),
        at=fields.text(told.get("at")),
        bytes=fields.whole(told.get("bytes")) or 0,
        objects=fields.whole(told.get("objects")) or 0,
        rows=fields.whole(told.get("rows")) or 0,
        server=fields.text(told.get("server")),
        pg_dump=fields.text(told.get("pg_dump")),
        doubts=fields.texts(told.get("doubts")),
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
