"""The options of `close`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Word


class Close(NamedTuple):
    """Options of `close`."""

    store: Word


class Closed(NamedTuple):
    """Answer of `close`: the folders that others could enter, and those that they still can."""

    closed: tuple[str, ...]
    open: tuple[str, ...]
