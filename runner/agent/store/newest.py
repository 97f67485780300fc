"""`newest`: what guards ask about a store."""

from __future__ import annotations

from collections.abc import Sequence

from ..answer import emit
from ..arguments import parse
from .layout import open_store, partials, sealed
from .space import room


def run(argv: Sequence[str]) -> int:
    """Print the newest sealed snapshot, how many there are, and how much room is free; reads only.

    Room is what the caller may use, as `space.room` gives it.
    """
    store = open_store(parse(argv, words=1).words[0])
    counted = sealed(store)
    emit(
        {
            "newest": counted[-1] if counted else "",
            "sealed": len(counted),
            "partials": len(partials(store)),
            **room(store),
        }
    )
    return 0
