"""`chain`: how far the history of a store has come, and its lines since a head that somebody has seen.

Whether it goes on from there is not said here: whoever has changed the history would say that too.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..answer import Refused, reply
from ..arguments import parse_as
from ..store.layout import open_store
from .contract.standing import PAGE, ChainStanding, LookAtChain
from .heard import hear
from .line import head_of


def run(argv: Sequence[str]) -> int:
    """Print it; reads only."""
    reply(read(argv))
    return 0


def read(argv: Sequence[str]) -> ChainStanding:
    """As a reading; what is no chain is an answer too."""
    options = parse_as(LookAtChain, argv)
    store = open_store(options.store)
    try:
        heard = hear(store, head_of(options.known), PAGE)
    except FileNotFoundError:
        return ChainStanding("", ())
    except Refused as refused:
        return ChainStanding("", (), refused.error)
    return ChainStanding(heard.story.head.text, tuple(raw[:-1].decode("ascii") for raw in heard.page))
