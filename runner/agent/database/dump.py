"""`dump`: write one database into the folder of dumps, so that it counts only when it is whole and was read again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from .. import ending
from ..answer import Refused, emit
from ..arguments import number, parse
from . import folder as dump_folder
from . import rows
from .databases import names
from .dump_doubts import amount
from .dump_order import Order
from .server import OPTIONS, server
from .session import Session, SqlTrouble, refusal

_LOCKED = "55P03"
# A table was dropped after it was seen: it is begun once more, with what is there now.
_MOVED = frozenset(("42P01", "3F000", "XX000"))
_PAUSE = 0.5


def run(argv: Sequence[str]) -> int:
    """Dump the database that the words `TO TIME -- DATABASE` name. Prints what its record says, in short.

    A database that is not there any more is `{"gone": true}` and no failure. See docs/store.md.
    """
    call = parse(argv, words=3, one=(*OPTIONS, "within", "lock-wait", "max-shrink"))
    path, at, database = call.words
    held = dump_folder.hold(path, server(call))
    order = Order(
        folder=held.folder, server=held.server, at=dump_folder.moment(at), database=database,
        within=number(call.one["within"] or "21600", "--within", least=1),
        lock_wait=number(call.one["lock-wait"] or "600", "--lock-wait", least=1),
        max_shrink=number(call.one["max-shrink"] or "100", "--max-shrink"),
    )  # fmt: skip
    with ending.together():
        emit(_answer(order))
    return 0


def _answer(order: Order) -> dict[str, Any]:
    folder, database = order.folder, order.database
    record: Mapping[str, Any] | None = dump_folder.good(folder, database, order.at)
    if not record:
        record = _dumped(order)
    if record is None:
        return {"database": database, "gone": True}
    short = {word: record[word] for word in ("database", "at", "dump", "bytes", "objects", "took", "doubts")}
    return {
        **short,
        "tables": len(record["tables"]),
        "rows": amount(record, "rows"),
        "said": record.get("said", ""),
    }


def _dumped(order: Order) -> Mapping[str, Any] | None:
    until = time.monotonic() + order.lock_wait
    while True:
        with Session(order.server, order.database) as session:
            try:
                rows.begin(session, order.lock_wait)
                # While the server lets us in there is time to load the rest, and for what need not know it.
                from . import dump_take  # noqa: PLC0415

                before = dump_take.ready(order)
                begun = rows.begun(session, order.lock_wait)
                if record := dump_take.take(order, session, begun, before):
                    return record
            except SqlTrouble as trouble:
                if trouble.state == _LOCKED:
                    raise _locked(order, trouble.text) from None
                if not trouble.state and _gone(order):
                    return None
                if trouble.state not in _MOVED:
                    raise refusal(order.server, trouble) from None
            if time.monotonic() > until:
                raise _locked(order, "tables are altered again and again while the dump begins")
        # Our locks are gone, and whoever waited for them has the time to end.
        time.sleep(_PAUSE)


def _gone(order: Order) -> bool:
    """Whether the server answers and does not have the database any more."""
    try:
        there, closed = names(order.server)
        return order.database not in (*there, *closed)
    except SqlTrouble:
        return False


def _locked(order: Order, why: str) -> Refused:
    try:
        with Session(order.server, order.database) as session:
            found = rows.blockers(session)
    except SqlTrouble:
        found = []
    who = "; ".join(
        f"{each['user']!a} (pid {each['pid']}) since {each['since']}: {each['doing']!a}" for each in found
    )
    return Refused(
        f"a table stayed locked for {order.lock_wait} s by {who or 'others'}: {why}",
        "wait until that is done, or end that session with pg_terminate_backend(pid)",
    )
