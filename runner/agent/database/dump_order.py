"""What is to be dumped, and where to, as the command line says it."""

from __future__ import annotations

from typing import NamedTuple

from .folder import Folder
from .server import Server


class Order(NamedTuple):
    """One database of a server into a folder of dumps; `within` and `lock_wait` are seconds, `max_shrink` percent."""

    folder: Folder
    server: Server
    at: str
    database: str
    within: int
    lock_wait: int
    max_shrink: float
