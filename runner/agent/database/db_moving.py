"""Renaming databases that people are connected to: all in one transaction, or nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from . import cluster
from .server import Server
from .session import Session, SqlTrouble

TAKEN = "42P04"
_LOOK = 0.1
_PATIENCE = 60


def move(to: Server, beside: Session, names: Sequence[str], statements: str) -> int:
    """Run `statements`, which rename the databases `names`; `beside` ends whoever is connected to them.

    ALTER DATABASE RENAME first takes the lock that keeps new sessions out and then waits five seconds for
    the old ones to go: they are ended meanwhile. Should anything die on the way, everything is as it was,
    but for the sessions. Raises SqlTrouble. Gives how many sessions were ended.
    """
    ended, trouble = 0, list[SqlTrouble]()
    away = cluster.maintenance(names)

    def rename() -> None:
        try:
            with Session(to, away) as one:
                one.ask(
                    "set lock_timeout = '30s';\n"
                    f"begin;\n{statements}\ncommit;", seconds=_PATIENCE,
                )  # fmt: skip
        except SqlTrouble as problem:
            trouble.append(problem)

    thread = threading.Thread(target=rename)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_LOOK)
            if thread.is_alive():
                ended += cluster.end_sessions(beside, names)
    finally:
        thread.join()
    if trouble:
        raise trouble[0]
    return ended
