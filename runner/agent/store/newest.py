"""`newest`: what a store has; `record`: what was recorded of a snapshot. Guards ask often, so little is imported."""

from __future__ import annotations

from collections.abc import Sequence

from ..answer import emit, reply
from ..arguments import parse_as
from .contract.newest import Counts, Newest, Record
from .layout import open_store, partials, require_json, require_sealed, room, sealed


def newest(argv: Sequence[str]) -> int:
    """Print the newest sealed snapshot, how many there are, and how much room is free; reads only.

    Room is what the caller may use, as `room` gives it.
    """
    store = open_store(parse_as(Newest, argv).store)
    counted = sealed(store)
    reply(Counts(counted[-1] if counted else "", len(counted), len(partials(store)), *room(store)))
    return 0


def record(argv: Sequence[str]) -> int:
    """Print the record of the sealed snapshot NAME, or refuse; reads only."""
    options = parse_as(Record, argv)
    store, name = open_store(options.store), options.name
    require_sealed(store, name)
    emit(require_json(store.record(name)))
    return 0
