"""A journal that cannot be read is put aside, whole, and a new one begins: no backup waits for its history."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.model.errors import RunnerError, remedy

SCHEMA = """
CREATE TABLE IF NOT EXISTS asides (
  path TEXT PRIMARY KEY, at TEXT NOT NULL, why TEXT NOT NULL, newer INTEGER NOT NULL, told TEXT);
"""

_DAMAGED = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
# A new journal and its log.
_LEAST = 256 << 10
_MAGIC = b"SQLite format 3\0"
# The log first: what is left of it when this is cut off would be taken for that of the next journal.
ENDS = ("-wal", "-shm", "")


class Unreadable(Exception):
    """It is no journal, and nothing can be recorded in it; the text says why. `newer`: a newer runner can read it."""

    def __init__(self, why: str, *, newer: bool = False) -> None:
        super().__init__(why)
        self.newer = newer


@dataclass(frozen=True, kw_only=True, slots=True)
class LostJournal:
    """A journal that was put aside: where it is now, when that was, and why. `newer` as in Unreadable."""

    path: str
    at: datetime
    why: str
    newer: bool = False


def damaged(error: BaseException) -> bool:
    """Whether SQLite says that what is in the file is at fault, and not its disk, or who may use it."""
    return isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED


def trouble(path: Path, error: Exception) -> RunnerError:
    """What people hear where the journal at `path` cannot be used: SQLite has one error for many a want of room."""
    why, do = str(error), "see that its disk works and that this user may write there; nothing runs unrecorded"
    if damaged(error):
        do = "the next run puts it aside, and begins a new one"
    elif isinstance(error, OSError):
        why, do = error.strerror or why, f"{remedy(error)}; nothing runs unrecorded"
    elif getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL or _is_full(path.parent):
        why, do = f"no space is left on its disk ({error})", "make room there; nothing runs unrecorded"
    return RunnerError(f"the journal {path} cannot be used: {why}", do=do)


def _is_full(folder: Path) -> bool:
    """Whether whoever runs this cannot write a new journal there: root alone may use what is reserved."""
    with contextlib.suppress(OSError):
        space = os.statvfs(folder)
        root = os.geteuid() == 0
        free, inodes = (space.f_bfree, space.f_ffree) if root else (space.f_bavail, space.f_favail)
        full = free * space.f_frsize < _LEAST or (space.f_files > 0 and inodes == 0)
        return full and not space.f_flag & os.ST_RDONLY
    return False


def require_file(path: Path) -> None:
    """Unreadable where there is something at `path` that is no file of SQLite's."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("it is no file")
    if not status.st_size:
        # A new one gets its name when it is whole.
        raise Unreadable("it is empty")
    # SQLite would take away the log beside it, and with that what a person might look for.
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise Unreadable("it is no database")


def require_whole(db: sqlite3.Connection) -> None:
    """Unreadable where pages of it are missing or contradict each other."""
    ((answer,), *_) = db.execute("PRAGMA quick_check(1)").fetchall()
    if answer != "ok":
        raise Unreadable(f"it is damaged: {str(answer).splitlines()[-1]}")


def require_tables(db: sqlite3.Connection, schema: str) -> None:
    """Unreadable where it lacks a column of `schema`: another program's, or somebody's."""
    with contextlib.closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(schema)
        for (table,) in ours.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if lacks := _columns(ours, table) - _columns(db, table):
                raise Unreadable(f"it is another kind of journal: its table {table} lacks {min(lacks)}")


def put_aside(path: Path, why: Unreadable) -> LostJournal:
    """Rename it with the log beside it. Whoever has it open goes on in it."""
    at = datetime.now(UTC)
    kind = "newer" if why.newer else "broken"
    stamp, number = f"{at:%Y%m%dT%H%M%SZ}", 0
    place = path.with_name(f"journal.{kind}-{stamp}")
    while place.exists():
        number += 1
        place = path.with_name(f"journal.{kind}-{stamp}-{number}")
    for end in ENDS:
        beside = path.with_name(path.name + end)
        if beside.exists():
            beside.rename(place.with_name(place.name + end))
    return LostJournal(path=str(place), at=at, why=str(why), newer=why.newer)


class Asides:
    """The journals before this one that could not be read."""

    def __init__(self, do: Callable[..., int], rows: Callable[..., list[tuple[Any, ...]]]) -> None:
        """`do` runs a statement of the journal with its values, `rows` gives the rows it selects."""
        self._do, self._rows = do, rows

    def add(self, aside: LostJournal) -> None:
        """This one began when `aside` was put aside."""
        statement = "INSERT INTO asides (path, at, why, newer) VALUES (?, ?, ?, ?)"
        self._do(statement, aside.path, aside.at.isoformat(), aside.why, int(aside.newer))

    def untold(self) -> tuple[LostJournal, ...]:
        """Those that no report has mentioned."""
        rows = self._rows("SELECT path, at, why, newer FROM asides WHERE told IS NULL ORDER BY at")
        return tuple(
            LostJournal(path=path, at=datetime.fromisoformat(at), why=why, newer=bool(newer))
            for path, at, why, newer in rows
        )

    def mention(self, aside: LostJournal) -> None:
        """A report has mentioned it."""
        self._do("UPDATE asides SET told = ? WHERE path = ?", datetime.now(UTC).isoformat(), aside.path)

    def since(self) -> datetime | None:
        """When the last one was put aside: what was done before that is not known. None where there was none."""
        ((at,),) = self._rows("SELECT max(at) FROM asides")
        return datetime.fromisoformat(at) if at else None


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
