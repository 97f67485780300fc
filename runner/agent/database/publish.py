"""`db-publish`: give a restored and compared database its name, and write on it what it was made from."""

from __future__ import annotations

from collections.abc import Sequence

from .. import clock
from ..answer import Refused, emit, shown
from ..arguments import parse
from . import cluster, db_mark, db_moving, stored
from .server import OPTIONS, server
from .session import Session, SqlTrouble, refusal


def run(argv: Sequence[str]) -> int:
    """Call what plan `--plan` made out of DUMP by the name `--into`, marked, in one transaction.

    Prints `{"published": NAME}`. Refused where that name is taken by now.
    """
    call = parse(argv, words=1, one=(*OPTIONS, "sha256", "plan", "into"))
    name, into, to = (
        cluster.making(call.one["plan"]),
        cluster.database_name(call.one["into"]),
        server(call),
    )
    with stored.opened(call.words[0], call.one["sha256"]) as dump:
        record = dump.record
    try:
        with Session(to) as one:
            own = db_mark.comment_of(one, name)
            mark = db_mark.writing(
                name, db_mark.RESTORED, own, database=record.get("database"), dump=record.get("dump"),
                at=record.get("at"), sha256=call.one["sha256"], tables=len(record.get("tables") or {}),
                rows=sum(dict(record.get("tables") or {}).values()), plan=call.one["plan"], restored=clock.now(),
            )  # fmt: skip
            # Only we and what looks at every database by itself can be connected to it.
            db_moving.move(to, one, (name,), f"{mark}\n{cluster.rename(name, into)}")
    except SqlTrouble as trouble:
        if trouble.state == db_moving.TAKEN:
            raise Refused(f"a database {shown(into)} is there by now", "take another name: --into") from None
        raise refusal(to, trouble) from None
    emit({"published": into})
    return 0
