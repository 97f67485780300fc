"""`db-verify`: whether every table of a restored database has the rows that were counted when it was dumped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import ending
from ..answer import Refused, emit, shown
from ..arguments import number, parse
from . import cluster, stored
from . import rows as pg_rows
from .server import OPTIONS, server

_SHOWN = 5


def run(argv: Sequence[str]) -> int:
    """Count the rows of what plan `--plan` made out of DUMP, and compare; reads only.

    Prints `{"tables", "rows", "large_objects"}`; refuses naming the first tables that differ.
    """
    call = parse(argv, words=1, one=(*OPTIONS, "sha256", "plan", "within"))
    name = cluster.making(call.one["plan"])
    within = number(call.one["within"] or "604800", "--within", least=1)
    with stored.opened(call.words[0], call.one["sha256"]) as dump:
        then = {str(table): int(rows) for table, rows in dict(dump.record.get("tables") or {}).items()}
        objects = dump.record.get("large_objects")
    with ending.together(), cluster.session(server(call), name) as one:
        now, kept = pg_rows.count(one, seconds=within)
    wrong = differing(then, now)
    if objects is not None and kept != objects:
        wrong.append(f"{kept:,} large objects, {objects:,} then")
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise Refused(f"not as it was dumped: {'; '.join(wrong[:_SHOWN])}{more}", "take an older dump: --at")
    emit({"tables": len(then), "rows": sum(then.values()), "large_objects": kept})
    return 0


def differing(then: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """What differs, a table a sentence, in the order of their names."""
    return [
        f"{shown(table)} has {_rows(now.get(table))}, {_rows(then.get(table))} then"
        for table in sorted({*then, *now})
        if then.get(table) != now.get(table)
    ]


def _rows(found: int | None) -> str:
    return "no such table" if found is None else f"{found:,} rows"
