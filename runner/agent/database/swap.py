"""`db-swap`: one database takes the place of another, which is kept; `db-standing`: whether it may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from .. import clock
from ..answer import Refused, reply, shown
from ..arguments import parse_as
from ..store import lock
from . import cluster, contract_restore, marks
from .contract import DatabaseServer
from .session import SqlSession, SqlTrouble, refusal

LOCK = "dump"

_MOST = 50
_ASK = """
select json_build_object('name', datname, 'oid', oid::bigint, 'owner', pg_get_userbyid(datdba),
    'comment', shobj_description(oid, 'pg_database'),
    'prepared', (select count(*) from pg_prepared_xacts p where p.database = datname))
from pg_database where datname in ({names});
"""


def db_swap(argv: Sequence[str]) -> int:
    """NAME is called `--before` from now on, and NEW is called NAME.

    Whoever is connected to either is ended. Both names change in one transaction: there is no moment
    without NAME, and dying on the way changes nothing. Needs the host's lock on dumps, held for `--plan`.
    """
    options = parse_as(contract_restore.SwapDatabases, argv)
    to, name, new, before = options.server, options.name, options.new, options.before
    lock.work(options.run, LOCK, options.plan)
    ready = standing(to, name, new, before)
    known, _ = _look(to, (name, new))
    words = {database: marks.own(row["comment"]) for database, row in known.items()}
    statements = [cluster.rename(new, name), marks.removing(name, words[new])]
    if ready.there:
        mark = marks.writing(before, marks.BEFORE, words[name], database=name, until=clock.now(), plan=options.plan)
        statements = [cluster.rename(name, before), *statements, mark]
    ended = _moved(to, (name, new), "\n".join(statements), int(known[new]["oid"]))
    reply(contract_restore.DatabasesSwapped(name, before if ready.there else "", ended))
    return 0


def _moved(to: DatabaseServer, names: tuple[str, str], statements: str, oid: int) -> int:
    """How many sessions were ended. The server is asked whether it is done, however the conversation ended."""
    ended, trouble = 0, None
    try:
        with SqlSession(to, cluster.maintenance(names)) as beside:
            ended = cluster.move(to, beside, names, statements)
    except SqlTrouble as problem:
        trouble = problem
    now, _ = _look(to, names)
    if names[0] in now and int(now[names[0]]["oid"]) == oid:
        return ended
    if trouble is not None:
        raise refusal(to, trouble)
    raise Refused("the names are as they were, and nothing says why", "see the log of the database server")


def db_standing(argv: Sequence[str]) -> int:
    """May NEW become NAME, and NAME become `--before`?

    Refuses where NEW was neither restored and compared nor put aside by us.
    """
    options = parse_as(contract_restore.CheckSwap, argv)
    reply(standing(options.server, options.name, options.new, options.before))
    return 0


def standing(to: DatabaseServer, name: str, new: str, before: str) -> contract_restore.SwapStanding:
    """See `db_swap`."""
    for database in (name, before):
        cluster.database_name(database)
    if len({name, new, before}) != 3:
        raise Refused("the three names must differ", "see docs/store.md")
    known, connected = _look(to, (name, new, before))
    if new not in known:
        raise Refused(f"there is no database {shown(new)}", "runner restore-db makes one")
    mark = marks.read(known[new]["comment"])
    # One that is being made may have the mark already: of the database that was dumped, not of itself.
    if mark is None or cluster.left_over((new,)):
        raise Refused(
            f"{shown(new)} was not restored and compared by this tool: nothing on it says so",
            "runner restore-db makes one that is; or rename it by hand",
        )
    if before in known:
        raise Refused(f"a database {shown(before)} is there already", "plan again")
    held = [each for each in (name, new) if each in known and known[each]["prepared"]]
    if held:
        raise Refused(
            f"{shown(held[0])} has prepared transactions", "COMMIT PREPARED or ROLLBACK PREPARED (pg_prepared_xacts)"
        )
    return contract_restore.SwapStanding(
        ready=True,
        there=name in known,
        mark=mark,
        sessions=tuple(map(_session, connected[:_MOST])),
        connected=len(connected),
    )


def _session(row: Mapping[str, Any]) -> contract_restore.DatabaseSession:
    # Who is no superuser sees nothing of the sessions of others but that they are there.
    since = row["since"] and datetime.fromtimestamp(row["since"], timezone.utc)  # noqa: UP017
    return contract_restore.DatabaseSession(row["user"], row["application"], row["client"], since)


def _look(to: DatabaseServer, names: Sequence[str]) -> tuple[dict[str, Mapping[str, Any]], list[dict[str, Any]]]:
    """What is known of each of these databases that is there, and who is connected to them."""
    with cluster.opened(to, cluster.maintenance(names)) as session:
        rows = session.ask(_ASK.format(names=cluster.literals(names)))
        return {str(row["name"]): row for row in rows}, cluster.sessions(session, names)
