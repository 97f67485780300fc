"""`chain`: how far the history of a store has come, and whether it goes on from a head that somebody has seen."""

from __future__ import annotations

from collections.abc import Sequence

from ..answer import Refused, reply
from ..arguments import parse_as
from ..store.layout import open_store, sealed
from .contract.against import HistoryChange
from .contract.standing import ChainStanding, LookAtChain
from .heard import hear
from .line import head_of

_LISTED = 20


def run(argv: Sequence[str]) -> int:
    """Print it; reads only."""
    reply(read(argv))
    return 0


def read(argv: Sequence[str]) -> ChainStanding:
    """As a reading; what is no chain is an answer too."""
    options = parse_as(LookAtChain, argv)
    store, known = open_store(options.store), head_of(options.known)
    asked = bool(options.known)
    try:
        heard = hear(store, known)
    except FileNotFoundError:
        return ChainStanding("", continues=False if asked else None)
    except Refused as refused:
        return ChainStanding("", refused.error, False if asked else None)
    counted, alive = set(sealed(store)), heard.story.alive
    return ChainStanding(
        head=heard.story.head.text,
        continues=heard.at is not None and not heard.undone if asked else None,
        gone=tuple(sorted(alive.keys() - counted))[:_LISTED],
        strange=tuple(sorted(counted.difference(alive)))[:_LISTED],
        since=tuple(HistoryChange(line.time, line.event, line.name) for line in heard.since[:_LISTED]),
        changes=heard.changes,
    )
