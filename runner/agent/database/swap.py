"""`db-swap`: one database takes the place of another, which is kept; `db-standing`: whether it may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import clock
from ..answer import Refused, emit, shown
from ..arguments import parse
from ..store import lock
from . import cluster, sql
from .server import OPTIONS, Server, server
from .session import Session, SqlTrouble, refusal
from .sql import literal

LOCK = "dump"

_MOST = 50
_ASK = """
select json_build_object('name', datname, 'oid', oid::bigint, 'owner', pg_get_userbyid(datdba),
    'comment', shobj_description(oid, 'pg_database'),
    'prepared', (select count(*) from pg_prepared_xacts p where p.database = datname))
from pg_database where datname in ({names});
"""


def db_swap(argv: Sequence[str]) -> int:
    """Of the words NAME and NEW: NAME is called `--before` from now on, and NEW is called NAME.

    Whoever is connected to either is ended. Both names change in one transaction: there is no moment
    without NAME, and dying on the way changes nothing. Needs the host's lock on dumps, held for `--plan`.
    Prints `{"swapped": NAME, "before": its old database's name or "", "ended": sessions}`.
    """
    call = parse(argv, words=2, one=(*OPTIONS, "before", "plan", "run"))
    name, new = call.words
    to, before = server(call), call.one["before"]
    lock.work(call.one["run"], LOCK, call.one["plan"])
    ready = standing(to, name, new, before)
    known, _ = found(to, (name, new))
    words = {one: sql.own(known[one]["comment"]) for one in known}
    statements = [cluster.rename(new, name), sql.removing(name, words[new])]
    if ready["there"]:
        mark = sql.writing(before, sql.BEFORE, words[name], database=name, until=clock.now(), plan=call.one["plan"])
        statements = [cluster.rename(name, before), *statements, mark]
    ended = _moved(to, (name, new), "\n".join(statements), int(known[new]["oid"]))
    emit({"swapped": name, "before": before if ready["there"] else "", "ended": ended})
    return 0


def _moved(to: Server, names: tuple[str, str], statements: str, oid: int) -> int:
    """How many sessions were ended. What is true is asked of the server, whatever became of the conversation."""
    ended, trouble = 0, None
    try:
        with Session(to, cluster.maintenance(names)) as beside:
            ended = cluster.move(to, beside, names, statements)
    except SqlTrouble as problem:
        trouble = problem
    now, _ = found(to, names)
    if names[0] in now and int(now[names[0]]["oid"]) == oid:
        return ended
    if trouble is not None:
        raise refusal(to, trouble)
    raise Refused("the names are as they were, and nothing says why", "see the log of the database server")


def db_standing(argv: Sequence[str]) -> int:
    """Of the words NAME and NEW: may NEW become NAME, and NAME become `--before`?

    Prints `{"ready": true, "there": NAME exists, "mark": what is written on NEW, "sessions": [...],
    "connected": how many}`, or refuses: where NEW was neither restored and compared nor put aside by us.
    """
    call = parse(argv, words=2, one=(*OPTIONS, "before"))
    name, new = call.words
    emit(standing(server(call), name, new, call.one["before"]))
    return 0


def standing(to: Server, name: str, new: str, before: str) -> dict[str, Any]:
    """See `db_swap`."""
    for one in (name, before):
        cluster.database_name(one)
    if len({name, new, before}) != 3:
        raise Refused("these are not three different names", "see docs/store.md")
    known, there = found(to, (name, new, before))
    if new not in known:
        raise Refused(f"there is no database {shown(new)}", "runner restore-db makes one")
    mark = sql.read(known[new]["comment"])
    # One that is being made may have the mark already: of the database that was dumped, not of itself.
    if mark is None or cluster.left_over((new,)):
        raise Refused(
            f"{shown(new)} was not restored and compared by this tool: nothing on it says so",
            "runner restore-db makes one that is; or rename it by hand",
        )
    if before in known:
        raise Refused(f"a database {shown(before)} is there already", "plan again")
    held = [one for one in (name, new) if one in known and known[one]["prepared"]]
    if held:
        raise Refused(
            f"{shown(held[0])} has prepared transactions", "COMMIT PREPARED or ROLLBACK PREPARED (pg_prepared_xacts)"
        )
    return {
        "ready": True,
        "there": name in known,
        "mark": {**mark, "comment": None},
        "sessions": there[:_MOST],
        "connected": len(there),
    }


def found(to: Server, names: Sequence[str]) -> tuple[dict[str, Mapping[str, Any]], list[dict[str, Any]]]:
    """What is known of each of these databases that is there, and who is connected to them."""
    with cluster.session(to, cluster.maintenance(names)) as one:
        rows = one.ask(_ASK.format(names=", ".join(literal(each) for each in names)))
        return {str(row["name"]): row for row in rows}, cluster.sessions(one, names)
