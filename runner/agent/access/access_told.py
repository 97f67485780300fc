"""What a tally says, as JSON of few rows."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, Union

from .access_table import Table, text
from .history import History, network
from .tally import Tally

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]  # noqa: UP007
_TYPED = (b"password", b"keyboard-interactive", b"challenge-response")


def told(tally: Tally, known: History, wanted: tuple[float, Sequence[Network]], rows: int) -> dict[str, Any]:
    """The tables with `rows` rows each; `wanted` is since when, and the sources that are expected.

    `known` is the history with this report in it. A source is new if it was not seen before `since`; all of
    the first report are known from then on.
    """
    since, expected = wanted
    return {
        "lines": tally.lines,
        "accepted": tally.accepted.told(rows),
        "refused": {
            **tally.refused.told(rows),
            "methods": {name: times for name, times in sorted(tally.methods.items()) if times > 0},
            "unknown_users": tally.unknown,
        },
        "users": tally.users.told(rows),
        "new": _new(tally, known, since, expected).told(rows),
        "guessed": _guessed(tally).told(rows),
        "sudo": tally.sudo.told(rows),
        "sudo_refused": tally.sudo_refused.told(rows),
        "su": tally.su.told(rows),
        "su_refused": tally.su_refused.told(rows),
        **{name: table.told(rows) for name, table in tally.signs.items()},
        "ownership": tally.ownership,
        "pretended": tally.pretended,
        "unproven": tally.unproven,
    }


def _new(tally: Tally, known: History, since: float, expected: Sequence[Network]) -> Table:
    """Sources never seen before, with who came from there and how often; rows are [source, users, times]."""
    found = Table(2 * len(tally.sources) + 1)
    began = known.began or 0.0
    for source, seen in tally.sources.items():
        first = known.known.get(network(source), (seen.first, seen.last))[0]
        if first >= max(since, began) and not _expected(source, expected):
            found.add((source, b",".join(seen.users)), seen.times)
    return found


def _guessed(tally: Tally) -> Table:
    """Who was let in by what can be guessed, from where the same name was refused, and how often it was."""
    found = Table(1000)
    for user, source, method in tally.accepted.names():
        before = tally.pairs.of((user, source)) if method.partition(b"/")[0] in _TYPED else 0
        if before:
            found.add((user, source, method), before)
    return found


def _expected(source: bytes, expected: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(text(source).partition("%")[0])
    except ValueError:
        return False
    return any(address in one for one in expected)
