"""The part of the journal that says what people were told, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from runner.model.facts import Announced

SCHEMA = """
CREATE TABLE IF NOT EXISTS announcements (
  job TEXT NOT NULL, at TEXT NOT NULL, told TEXT NOT NULL, reason TEXT NOT NULL, ended TEXT, how TEXT,
  PRIMARY KEY (job, at));
"""


class Announcements:
    """What people were told, by job. Of each job at most one is open: coming, or late."""

    def __init__(self, do: Callable[..., int], rows: Callable[..., list[tuple[Any, ...]]]) -> None:
        """`do` runs a statement of the journal with its values, `rows` gives what one finds."""
        self._do, self._rows = do, rows

    def add(self, job: str, announced: Announced) -> None:
        """People have been told that `job` will interrupt them; what was told of it before is void."""
        self.end(job, announced.notified, "moved")
        self._do(
            "INSERT OR REPLACE INTO announcements (job, at, told, reason) VALUES (?, ?, ?, ?)",
            job,
            _text(announced.at),
            _text(announced.notified),
            announced.reason,
        )

    def coming(self) -> dict[str, Announced]:
        """What people were told is coming and has not come yet."""
        return self._of("ended IS NULL")

    def late(self) -> dict[str, Announced]:
        """What came, and of which nobody has said yet that it is over."""
        return self._of("how = 'late'")

    def end(self, job: str, at: datetime, how: str) -> None:
        """It came, or will not come: `how` in a word. A late one is open until it is ended in another way."""
        self._do(
            "UPDATE announcements SET ended = ?, how = ? WHERE job = ? AND (ended IS NULL OR how = 'late')",
            _text(at),
            how,
            job,
        )

    def _of(self, which: str) -> dict[str, Announced]:
        rows = self._rows(f"SELECT job, at, told, reason FROM announcements WHERE {which}")  # noqa: S608 (constant)
        return {
            job: Announced(at=datetime.fromisoformat(at), notified=datetime.fromisoformat(notified), reason=reason)
            for job, at, notified, reason in rows
        }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
