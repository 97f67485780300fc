"""`databases`: which databases a PostgreSQL server has, and what there is to dump them with. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import pg_programs
from .arguments import parse
from .pg_server import OPTIONS, Server, server
from .pg_session import Session, SqlTrouble, refusal
from .say import Refused, emit

# What a restore has begun is no database yet: dumping it would stand in the way of the restore.
_LIST = """select json_build_object('name', datname, 'owner', pg_get_userbyid(datdba),
    'size', case when has_database_privilege(oid, 'connect') then pg_database_size(oid) end)
from pg_database where datallowconn and not datistemplate
and datname !~ '^runner_restoring_[0-9]{8}T[0-9]{6}[.][0-9]{3}Z$' order by datname;"""
_SERVER = """select json_build_object('server', current_setting('server_version'),
    'number', current_setting('server_version_num')::int, 'standby', pg_is_in_recovery());"""


def run(argv: Sequence[str]) -> int:
    """Print what `read` gives; exit 1 where the server does not answer."""
    emit(read(argv))
    return 0


def read(argv: Sequence[str]) -> dict[str, Any]:
    """The server's version, its databases that people may connect to, the pg_dump that fits.

    `{"server": "15.18", "number": 150018, "standby": bool, "databases": [{"name", "owner", "size"}],
    "pg_dump": "15.18", "trouble": {"error", "do"} or null}`. Raises Refused where the server does not answer.
    """
    to = server(parse(argv, words=0, one=OPTIONS))
    try:
        with Session(to) as session:
            (about,) = session.ask(_SERVER)
            found = session.ask(_LIST)
    except SqlTrouble as trouble:
        raise refusal(to, trouble) from None
    told: dict[str, Any] = {**about, "databases": found, "pg_dump": "", "trouble": None}
    try:
        programs = pg_programs.dumper(to, about["number"])
        told["pg_dump"] = pg_programs.version(to, programs / "pg_dump")
    except Refused as refused:
        told["trouble"] = {"error": refused.error, "do": refused.do}
    return told


def names(to: Server) -> list[str]:
    """The databases that people may connect to. Raises SqlTrouble."""
    with Session(to) as session:
        return [str(each["name"]) for each in session.ask(_LIST)]
