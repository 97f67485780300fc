"""What runner-agent says of who got in and who tried to: what in it needs a person, and what is unusual."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from runner.model.text import count, one_line

_PLAIN = re.compile(r"[\w.@+:/%,-]+")
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """A table: the names that came most often with how often, how many more names there were.

    All text is harmless, each on one line. Where it is not `exact`, numbers of rows are the least that
    they can be and `others` is within a few percent.
    """

    total: int = 0
    rows: tuple[tuple[tuple[str, ...], int], ...] = ()
    others: int = 0
    exact: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Usual:
    """What a number was on each of the last `days` whole days; `spread` is the median distance from the median."""

    days: int
    median: float
    low: float
    high: float
    spread: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """The answer of runner-agent's `access`; `numbers` and `tables` are empty where it has none of a name."""

    since: datetime
    until: datetime
    source: str
    covered: bool
    alive: bool
    first: bool
    history_damaged: bool
    problems: tuple[str, ...]
    methods: tuple[tuple[str, int], ...]
    numbers: Mapping[str, int]
    tables: Mapping[str, Rows]
    usual: Mapping[str, Usual]

    def table(self, name: str) -> Rows:
        """The table of that name, an empty one where there is none."""
        return self.tables.get(name, Rows())


def read(answer: Mapping[str, Any]) -> Access | None:
    """Make sense of the answer; None where it is something else, or makes none."""
    try:
        return _read(answer) if answer.get("access") is True else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _read(answer: Mapping[str, Any]) -> Access:
    tables = {name: _rows(one) for name, one in answer.items() if isinstance(one, dict) and "rows" in one}
    methods: Mapping[str, Any] = answer["refused"].get("methods", {})
    return Access(
        since=datetime.fromisoformat(answer["since"]).astimezone(UTC),
        until=datetime.fromisoformat(answer["until"]).astimezone(UTC),
        source=one_line(str(answer["source"])),
        covered=answer["covered"] is True,
        alive=answer["alive"] is True,
        first=answer.get("first") is True,
        history_damaged=answer.get("history_damaged") is True,
        problems=tuple(one_line(str(one)) for one in answer.get("problems", ())),
        methods=tuple(sorted(((one_line(name), int(times)) for name, times in methods.items()), key=_most)),
        numbers={name: int(answer.get(name, 0)) for name in ("long", "ownership", "pretended", "unproven", "lines")},
        tables=tables,
        usual={
            str(name): Usual(
                days=int(one["days"]),
                median=float(one["median"]),
                low=float(one["low"]),
                high=float(one["high"]),
                spread=float(one["spread"]),
            )
            for name, one in answer.get("usual", {}).items()
        },
    )


def _rows(told: Mapping[str, Any]) -> Rows:
    return Rows(
        total=int(told["total"]),
        rows=tuple((tuple(_name(str(one)) for one in row[:-1]), int(row[-1])) for row in told["rows"]),
        others=int(told["others"]),
        exact=told["exact"] is True,
    )


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _name(text: str) -> str:
    """A name as it may be shown: in quotes where it could be taken for more than a name."""
    if _PLAIN.fullmatch(text) and text.isascii():
        return text
    escaped = one_line(text).replace('"', '\\"')
    return f'"{escaped}"' if text else "(none)"


def per_day(found: Access, number: int) -> float:
    """`number` as it would be in one day, where the report is of more than that."""
    length = found.until - found.since
    return number / max(length / timedelta(days=1), 1.0)


def usually(found: Access, name: str) -> str:
    """How it is on other days: `usually 300 to 900`; "" where too few are known."""
    known = found.usual.get(name)
    if known is None or known.days < DAYS:
        return ""
    low, high = round(known.low), round(known.high)
    return f"usually {low:,}" if low == high else f"usually {low:,} to {high:,}"


def extremes(found: Access) -> Iterator[str]:
    """Numbers that are far from what is usual on this host; none before a week is known."""
    for name, (least, words) in _WATCHED.items():
        known = found.usual.get(name)
        if known is None or known.days < DAYS:
            continue
        number = found.table(name).total
        day = per_day(found, number)
        far = day > 2 * known.high and day > known.median + 6 * known.spread
        if (far and day - known.high >= least) or (number == 0 and known.low >= least):
            yield f"{number:,} {words}, {usually(found, name)}"


def alarms(found: Access) -> tuple[str, ...]:
    """What a person must look at, most serious first."""
    told = [
        *_let_in(found, "root_typed", "root was let in by a password"),
        *_let_in(found, "no_password", "somebody was let in without a password"),
        *_let_in(found, "root_right", "root's password or key was right and only PermitRootLogin refused it"),
        *_guessed(found),
        *_new(found),
    ]
    if pretended := found.numbers["pretended"]:
        told.append(f"{count(pretended, 'line')} under the name of sshd, sudo or su came from another program here")
    told += extremes(found)
    if not found.alive:
        told.append(f"nothing was written to {found.source} in this time: attempts are not recorded")
    told += [f"not all was read: {one}" for one in found.problems]
    return tuple(told)


def _let_in(found: Access, name: str, words: str) -> Sequence[str]:
    table = found.table(name)
    if not table.total:
        return ()
    by = [f"{user} from {source}" for (user, source), _ in table.rows]
    return (f"{words}: {_some(by, table.others)}",)


def _guessed(found: Access) -> Sequence[str]:
    by = [
        f"{user} from {source} after {times:,} refused tries"
        for (user, source, _), times in found.table("guessed").rows
        if times >= _GUESSES
    ]
    return (f"a password may have been guessed: {_some(by, 0)}",) if by else ()


def _new(found: Access) -> Sequence[str]:
    table = found.table("new")
    by = [f"{users} from {source}" for (source, users), _ in table.rows]
    if not by:
        return ()
    number = len(by) + table.others
    return (f"{count(number, 'login source')} never seen before: {_some(by, table.others)}; ask if that was them",)


def _some(names: Sequence[str], others: int) -> str:
    more = max(len(names) - _SHOWN, 0) + others
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more else "")
