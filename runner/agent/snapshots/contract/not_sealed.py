"""The options of `not-sealed`."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import PathWord


class NotSealed(NamedTuple):
    """Options of `not-sealed`."""

    store: PathWord
    job: str
    instant: str
