"""The part of the journal about announcements, and how each has ended."""

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
    """Announcements, by job. Each job has at most one that is open: coming, or late."""

    def __init__(self, do: Callable[..., int], rows: Callable[..., list[tuple[Any, ...]]]) -> None:
        """`do` runs a statement of the journal with its values, `rows` gives the rows it selects."""
        self._do, self._rows = do, rows

    def add(self, job: str, announced: Announced) -> None:
        """The users know that `job` will interrupt them; what was announced for it before is void."""
        self.end(job, announced.notified, "moved")
        self._do(
            "INSERT OR REPLACE INTO announcements (job, at, told, reason) VALUES (?, ?, ?, ?)",
            job,
            _text(announced.at),
            _text(announced.notified),
            announced.reason,
        )

    def coming(self) -> dict[str, Announced]:
        """What is announced and has not begun yet."""
        return self._of("ended IS NULL")

    def late(self) -> dict[str, Announced]:
        """What has begun, and is not yet said to be over."""
        return self._of("how = 'late'")

    def end(self, job: str, at: datetime, how: str) -> None:
        """It has ended, `how` in a word. One that ended as `late` stays open until it ends in another way."""
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
