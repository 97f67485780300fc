"""`db-publish`: give a restored database its name; `db-verify`: compare it first; `db-drop`: give it up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from .. import clock, command
from ..answer import Refused, reply, shown
from ..arguments import parse_as
from . import cluster, contract_restore, marks, restorer, stored
from . import rows as pg_rows
from .session import SqlSession, SqlTrouble, refusal

_SHOWN = 5

_TRIES = 5
_IN_USE = "55006"


def db_publish(argv: Sequence[str]) -> int:
    """Call what plan `--plan` made out of DUMP by the name `--into`, marked, in one transaction.

    Refused where that name is taken by now.
    """
    options = parse_as(contract_restore.PublishRestored, argv)
    name, into, to = cluster.making(options.plan), cluster.database_name(options.into), options.server
    with stored.opened(options.dump, options.sha256) as opened:
        record, dump = opened.record, stored.head(opened.record)
    try:
        with SqlSession(to) as session:
            own = marks.comment_of(session, name)
            mark = marks.writing(
                name,
                marks.RESTORED,
                own,
                database=dump.database,
                dump=dump.dump,
                at=record.get("at"),
                sha256=dump.sha256,
                tables=dump.tables,
                rows=dump.rows,
                plan=options.plan,
                into=into,
                restored=clock.now(),
            )
            # Only we and what looks at every database by itself can be connected to it.
            cluster.move(to, session, (name,), f"{mark}\n{cluster.rename(name, into)}")
    except SqlTrouble as trouble:
        if trouble.state == cluster.TAKEN:
            raise Refused(f"a database {shown(into)} has been made since", "take another name: --into") from None
        raise refusal(to, trouble) from None
    reply(contract_restore.RestorePublished(into))
    return 0


def db_verify(argv: Sequence[str]) -> int:
    """Count the rows of what plan `--plan` made out of DUMP, and compare; reads only.

    Refuses naming the first tables that differ.
    """
    options = parse_as(contract_restore.RestoreDump, argv)
    name = cluster.making(options.plan)
    with stored.opened(options.dump, options.sha256) as dump:
        then = {str(table): int(rows) for table, rows in dict(dump.record.get("tables") or {}).items()}
        objects = dump.record.get("large_objects")
    with command.together(), cluster.opened(options.server, name) as session:
        now, objects_now = pg_rows.count(session, seconds=options.within or cluster.WEEK)
    wrong = differing(then, now)
    if objects is not None and objects_now != objects:
        wrong.append(f"{objects_now:,} large objects, {objects:,} then")
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise Refused(f"not as it was dumped: {'; '.join(wrong[:_SHOWN])}{more}", "take an older dump: --at")
    reply(contract_restore.RestoreVerified(len(then), sum(then.values()), objects_now))
    return 0


def differing(then: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """What differs, a table a sentence, in the order of their names."""
    return [
        f"{shown(table)} has {_rows(now.get(table))}, {_rows(then.get(table))} then"
        for table in sorted({*then, *now})
        if then.get(table) != now.get(table)
    ]


def _rows(number: int | None) -> str:
    return "no such table" if number is None else f"{number:,} rows"


def db_drop(argv: Sequence[str]) -> int:
    """Drop the database that plan `--plan` was making, if there is one, and whoever is connected to it.

    No other can be named: once it is whole it has another name. The role that restored it goes too.
    """
    options = parse_as(contract_restore.DropRestored, argv)
    to, name = options.server, cluster.making(options.plan)
    for attempt in range(_TRIES):
        try:
            there = cluster.drop(to, name)
            if cluster.has(to)["super"]:
                restorer.clear(to, ended=True)
            reply(contract_restore.RestoreDropped(there))
            return 0
        except SqlTrouble as trouble:
            if trouble.state != _IN_USE or attempt + 1 == _TRIES:
                raise refusal(to, trouble) from None
            time.sleep(1)
    return 0
