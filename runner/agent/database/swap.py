"""`db-swap`: one database takes the place of another, which is kept under another name."""

from __future__ import annotations

from collections.abc import Sequence

from .. import clock
from ..answer import Refused, emit
from ..arguments import parse
from ..store import resources
from . import cluster, db_mark, db_moving, db_standing
from .server import OPTIONS, Server, server
from .session import Session, SqlTrouble, refusal

LOCK = "dump"


def run(argv: Sequence[str]) -> int:
    """Of the words NAME and NEW: NAME is called `--before` from now on, and NEW is called NAME.

    Whoever is connected to either is ended. Both names change in one transaction: there is no moment
    without NAME, and dying on the way changes nothing. Needs the host's lock on dumps, held for `--plan`.
    Prints `{"swapped": NAME, "before": its old database's name or "", "ended": sessions}`.
    """
    call = parse(argv, words=2, one=(*OPTIONS, "before", "plan", "run"))
    name, new = call.words
    to, before = server(call), call.one["before"]
    resources.work(call.one["run"], LOCK, call.one["plan"])
    ready = db_standing.standing(to, name, new, before)
    known, _ = db_standing.found(to, (name, new))
    words = {one: db_mark.own(known[one]["comment"]) for one in known}
    statements = [cluster.rename(new, name), db_mark.removing(name, words[new])]
    if ready["there"]:
        mark = db_mark.writing(
            before, db_mark.BEFORE, words[name], database=name, until=clock.now(), plan=call.one["plan"]
        )
        statements = [cluster.rename(name, before), *statements, mark]
    ended = _moved(to, (name, new), "\n".join(statements), int(known[new]["oid"]))
    emit({"swapped": name, "before": before if ready["there"] else "", "ended": ended})
    return 0


def _moved(to: Server, names: tuple[str, str], statements: str, oid: int) -> int:
    """How many sessions were ended. What is true is asked of the server, whatever became of the conversation."""
    ended, trouble = 0, None
    try:
        with Session(to, cluster.maintenance(names)) as beside:
            ended = db_moving.move(to, beside, names, statements)
    except SqlTrouble as problem:
        trouble = problem
    now, _ = db_standing.found(to, names)
    if names[0] in now and int(now[names[0]]["oid"]) == oid:
        return ended
    if trouble is not None:
        raise refusal(to, trouble)
    raise Refused("the names are as they were, and nothing says why", "see the log of the database server")
