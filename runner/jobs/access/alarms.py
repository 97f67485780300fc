"""The answer of runner-agent's `access`: what in it needs a person, and what is unusual."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from runner.agent.access.contract import AccessAnswer, AccessRow, AccessTable, AccessTables
from runner.model.text import count, one_line
from runner.tools import answers

_PLAIN = re.compile(r"[\w.@+:/%,-]+")
NAMELESS = "(none)"
_SHOWN = 3
_GUESSES = 20
DAYS = 7
# From how many more than usual on a number is worth a word, and what it counts.
_WATCHED = {
    "refused": (50, "refused attempts"),
    "accepted": (20, "logins"),
    "sudo_refused": (5, "refused sudo"),
    "su_refused": (5, "refused su"),
}


def read(answer: Mapping[str, Any]) -> AccessAnswer | None:
    """The answer of `access`, with every text in it on one harmless line; None where it is not one."""
    access = answers.read(answer, AccessAnswer)
    if access is None:
        return None
    tables = (table._replace(rows=tuple(_harmless(row) for row in table.rows)) for table in access.tables)
    return access._replace(
        source=one_line(access.source),
        problems=tuple(one_line(problem) for problem in access.problems),
        methods={one_line(method): times for method, times in access.methods.items()},
        tables=AccessTables(*tables),
    )


def _harmless(row: AccessRow) -> AccessRow:
    return AccessRow(row.times, *(_name(text) for text in row[1:]))


def _name(text: str) -> str:
    """A name as it may be shown: in quotes where it could be taken for more than a name."""
    if _PLAIN.fullmatch(text) and text.isascii():
        return text
    escaped = one_line(text).replace('"', '\\"')
    return f'"{escaped}"' if text else NAMELESS


def usually(access: AccessAnswer, name: str) -> str:
    """How it is on other days: `usually 300 to 900`; "" where too few are known."""
    known = access.usual.get(name)
    if known is None or known.days < DAYS:
        return ""
    low, high = round(known.low), round(known.high)
    return f"usually {low:,}" if low == high else f"usually {low:,} to {high:,}"


def extremes(access: AccessAnswer) -> Iterator[str]:
    """Numbers that are far from what is usual on this host; none before a week is known."""
    days = max((access.until - access.since) / timedelta(days=1), 1.0)
    for name, (least, words) in _WATCHED.items():
        known = access.usual.get(name)
        if known is None or known.days < DAYS:
            continue
        number = getattr(access.tables, name).total
        day = number / days
        far = day > 2 * known.high and day > known.median + 6 * known.spread
        if (far and day - known.high >= least) or (number == 0 and known.low >= least):
            yield f"{number:,} {words}, {usually(access, name)}"


def alarms(access: AccessAnswer) -> tuple[str, ...]:
    """What a person must look at, most serious first."""
    lines = [
        *_let_in(access.tables.root_typed, "root was let in by a password"),
        *_let_in(access.tables.no_password, "somebody was let in without a password"),
        *_let_in(access.tables.root_right, "root's password or key was right and only PermitRootLogin refused it"),
        *_guessed(access.tables.guessed),
        *_new(access.tables.new),
    ]
    if access.pretended:
        lines.append(
            f"{count(access.pretended, 'line')} under the name of sshd, sudo or su came from another program here"
        )
    lines += extremes(access)
    if not access.alive:
        lines.append(f"nothing was written to {access.source} in this time: attempts are not recorded")
    lines += [f"not everything was read: {problem}" for problem in access.problems]
    return tuple(lines)


def _let_in(table: AccessTable, words: str) -> Sequence[str]:
    by = [f"{row.user} from {row.source}" for row in table.rows]
    return (f"{words}: {_first(by, table.others)}",) if table.total else ()


def _guessed(table: AccessTable) -> Sequence[str]:
    by = [
        f"{row.user} from {row.source} after {row.times:,} refused tries" for row in table.rows if row.times >= _GUESSES
    ]
    return (f"a password may have been guessed: {_first(by, 0)}",) if by else ()


def _new(table: AccessTable) -> Sequence[str]:
    by = [f"{row.user} from {row.source}" for row in table.rows]
    if not by:
        return ()
    number = len(by) + table.others
    return (f"{count(number, 'login source')} never seen before: {_first(by, table.others)}; ask whether it was them",)


def _first(names: Sequence[str], others: int) -> str:
    more = max(len(names) - _SHOWN, 0) + others
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more else "")
