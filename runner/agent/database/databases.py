"""`databases`: which databases a PostgreSQL server has, and what there is to dump them with. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..answer import Refused, reply, table
from ..arguments import parse_as
from . import marks
from . import server as pg_programs
from .contract import Database, Databases, DatabaseServer, DatabaseTrouble, ListDatabases
from .session import SqlSession, SqlTrouble, refusal

# A template that people made is a database like others. What a restore has begun is none yet: dumping it
# would stand in the way of the restore. -2 is one whose DROP DATABASE was cut off.
_LIST = """select json_build_object('name', datname, 'owner', pg_get_userbyid(datdba),
    'comment', shobj_description(oid, 'pg_database'), 'closed', not datallowconn or datconnlimit = -2,
    'size', case when has_database_privilege(oid, 'connect') then pg_database_size(oid) end)
from pg_database where datname not in ('template0', 'template1')
and datname !~ '^runner_restoring_[0-9]{8}T[0-9]{6}[.][0-9]{3}Z$' order by datname;"""
_SERVER = """select json_build_object('server', current_setting('server_version'),
    'number', current_setting('server_version_num')::int, 'standby', pg_is_in_recovery());"""


def run(argv: Sequence[str]) -> int:
    """Print the server's version, its databases and the pg_dump that fits; exit 1 where it does not answer."""
    reply(_answer(argv))
    return 0


def read(argv: Sequence[str]) -> Mapping[str, Any]:
    """What `run` prints. Raises Refused where the server does not answer."""
    answer: Mapping[str, Any] = table(_answer(argv))
    return answer


def _answer(argv: Sequence[str]) -> Databases:
    to = parse_as(ListDatabases, argv).server
    try:
        with SqlSession(to) as session:
            (about,) = session.ask(_SERVER)
            rows = session.ask(_LIST)
    except SqlTrouble as trouble:
        raise refusal(to, trouble) from None
    version, why = "", None
    try:
        version = pg_programs.version(to, pg_programs.dumper(to, about["number"]) / "pg_dump")
    except Refused as refused:
        why = DatabaseTrouble(refused.error, refused.do)
    known = tuple(
        Database(row["name"], row["owner"], row["size"], marks.restored(row["name"], row["comment"]))
        for row in rows
        if not row["closed"]
    )
    return Databases(**about, databases=known, closed=_names(rows).closed, pg_dump=version, trouble=why)


class ServerNames(NamedTuple):
    """The databases that can be connected to, those that cannot, and which of the first are restored beside another."""

    there: tuple[str, ...]
    closed: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()


def names(to: DatabaseServer) -> ServerNames:
    """Which databases the server has. Raises SqlTrouble."""
    with SqlSession(to) as session:
        return _names(session.ask(_LIST))


def _names(rows: Sequence[Mapping[str, Any]]) -> ServerNames:
    there = [row for row in rows if not row["closed"]]
    return ServerNames(
        tuple(str(row["name"]) for row in there),
        tuple(str(row["name"]) for row in rows if row["closed"]),
        tuple(str(row["name"]) for row in there if marks.restored(row["name"], row["comment"])),
    )
