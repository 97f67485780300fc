"""`db-drop`: remove what a plan began to make out of a dump and did not end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..answer import emit
from ..arguments import parse
from . import cluster
from .server import OPTIONS, server
from .session import Session, SqlTrouble, refusal
from .sql import identifier, literal

_THERE = "select json_build_object('oid', oid::bigint) from pg_database where datname = {name};"
_TRIES = 5
_IN_USE = "55006"


def run(argv: Sequence[str]) -> int:
    """Drop the database that plan `--plan` was making, if there is one, and whoever is connected to it.

    No other can be named: once it is whole it has another name. Prints `{"dropped": bool}`.
    """
    call = parse(argv, words=0, one=(*OPTIONS, "plan"))
    to, name = server(call), cluster.making(call.one["plan"])
    for attempt in range(_TRIES):
        try:
            with Session(to) as one:
                there = one.ask(_THERE.format(name=literal(name)))
                if there:
                    one.ask(f"alter database {identifier(name)} is_template false connection limit 0;")
                    cluster.end_sessions(one, (name,))
                    one.ask(f"drop database if exists {identifier(name)};", seconds=600)
                emit({"dropped": bool(there)})
                return 0
        except SqlTrouble as trouble:
            if trouble.state != _IN_USE or attempt + 1 == _TRIES:
                raise refusal(to, trouble) from None
            time.sleep(1)
    return 0
