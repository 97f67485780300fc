"""`databases`: which databases a PostgreSQL server has, and what there is to dump them with. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..answer import Refused, emit
from ..arguments import parse
from . import server as pg_programs
from .server import OPTIONS, Server, server
from .session import Session, SqlTrouble, refusal

# A template that people made is a database like others. What a restore has begun is none yet: dumping it
# would stand in the way of the restore. -2 is one whose DROP DATABASE was cut off.
_LIST = """select json_build_object('name', datname, 'owner', pg_get_userbyid(datdba),
    'closed', not datallowconn or datconnlimit = -2,
    'size', case when has_database_privilege(oid, 'connect') then pg_database_size(oid) end)
from pg_database where datname not in ('template0', 'template1')
and datname !~ '^runner_restoring_[0-9]{8}T[0-9]{6}[.][0-9]{3}Z$' order by datname;"""
_SERVER = """select json_build_object('server', current_setting('server_version'),
    'number', current_setting('server_version_num')::int, 'standby', pg_is_in_recovery());"""


def run(argv: Sequence[str]) -> int:
    """Print what `read` gives; exit 1 where the server does not answer."""
    emit(read(argv))
    return 0


def read(argv: Sequence[str]) -> dict[str, Any]:
    """The server's version, its databases that can be connected to, the names of others, the pg_dump that fits.

    `{"server": "15.18", "number": 150018, "standby": bool, "databases": [{"name", "owner", "size"}],
    "closed": [...], "pg_dump": "15.18", "trouble": {"error", "do"} or null}`. Raises Refused where the server
    does not answer.
    """
    to = server(parse(argv, words=0, one=OPTIONS))
    try:
        with Session(to) as session:
            (about,) = session.ask(_SERVER)
            found, closed = _sorted(session.ask(_LIST))
    except SqlTrouble as trouble:
        raise refusal(to, trouble) from None
    told: dict[str, Any] = {**about, "databases": found, "closed": closed, "pg_dump": "", "trouble": None}
    try:
        programs = pg_programs.dumper(to, about["number"])
        told["pg_dump"] = pg_programs.version(to, programs / "pg_dump")
    except Refused as refused:
        told["trouble"] = {"error": refused.error, "do": refused.do}
    return told


def names(to: Server) -> tuple[list[str], list[str]]:
    """The databases that can be connected to, and those that cannot. Raises SqlTrouble."""
    with Session(to) as session:
        found, closed = _sorted(session.ask(_LIST))
        return [str(each["name"]) for each in found], closed


def _sorted(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    known = [(each, bool(each.pop("closed"))) for each in rows]
    return [each for each, closed in known if not closed], [str(each["name"]) for each, closed in known if closed]
