"""`db-standing`: whether one database can take the place of another now, and whom that interrupts. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..answer import Refused, emit, shown
from ..arguments import parse
from . import cluster, db_mark
from .server import OPTIONS, Server, server
from .sql import literal

_MOST = 50
_ASK = """
select json_build_object('name', datname, 'oid', oid::bigint, 'owner', pg_get_userbyid(datdba),
    'comment', shobj_description(oid, 'pg_database'),
    'prepared', (select count(*) from pg_prepared_xacts p where p.database = datname))
from pg_database where datname in ({names});
"""


def run(argv: Sequence[str]) -> int:
    """Of the words NAME and NEW: may NEW become NAME, and NAME become `--before`?

    Prints `{"ready": true, "there": NAME exists, "mark": what is written on NEW, "sessions": [...],
    "connected": how many}`, or refuses: where NEW was neither restored and compared nor put aside by us.
    """
    call = parse(argv, words=2, one=(*OPTIONS, "before"))
    name, new = call.words
    emit(standing(server(call), name, new, call.one["before"]))
    return 0


def standing(to: Server, name: str, new: str, before: str) -> dict[str, Any]:
    """See `run`."""
    for one in (name, before):
        cluster.database_name(one)
    if len({name, new, before}) != 3:
        raise Refused("these are not three different names", "see docs/store.md")
    known, there = found(to, (name, new, before))
    if new not in known:
        raise Refused(f"there is no database {shown(new)}", "runner restore-db makes one")
    mark = db_mark.read(known[new]["comment"])
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
            f"{shown(held[0])} has prepared transactions",
            "COMMIT PREPARED or ROLLBACK PREPARED (pg_prepared_xacts)",
        )
    return {
        "ready": True, "there": name in known, "mark": {**mark, "comment": None},
        "sessions": there[:_MOST], "connected": len(there),
    }  # fmt: skip


def found(to: Server, names: Sequence[str]) -> tuple[dict[str, Mapping[str, Any]], list[dict[str, Any]]]:
    """What is known of each of these databases that is there, and who is connected to them."""
    with cluster.session(to, cluster.maintenance(names)) as one:
        rows = one.ask(_ASK.format(names=", ".join(literal(each) for each in names)))
        return {str(row["name"]): row for row in rows}, cluster.sessions(one, names)
