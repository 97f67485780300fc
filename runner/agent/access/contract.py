"""What the verb `access` is told."""

from __future__ import annotations

from typing import NamedTuple

from ..arguments import Positive


class LookAtAccess(NamedTuple):
    """Options of `access`; 0 stands for the usual number of `hours` and of `rows`."""

    hours: Positive = 0
    rows: Positive = 0
    state: str = ""
    expected: tuple[str, ...] = ()
    until: str = ""
    file: tuple[str, ...] = ()
    journal: bool = False
