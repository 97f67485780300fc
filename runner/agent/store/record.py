"""`record`: all that is known about one sealed snapshot."""

from __future__ import annotations

from collections.abc import Sequence

from ..answer import Refused, emit
from ..arguments import parse
from .layout import open_store, read_json, sealed


def run(argv: Sequence[str]) -> int:
    """Print the record of the sealed snapshot NAME, or refuse; reads only."""
    path, name = parse(argv, words=2).words
    store = open_store(path)
    if name not in sealed(store):
        raise Refused(f"there is no sealed snapshot {name!a}", "`probe` lists those there are")
    emit(read_json(store.record(name)))
    return 0
