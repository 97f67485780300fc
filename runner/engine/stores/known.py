"""The part of the journal about the history of stores: which head of each is known, and what people took as known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from runner.model.stored import AcceptedHead, DeclaredPlace, HeadTaken, HistoryDoubt, KnownHistory

SCHEMA = """
CREATE TABLE IF NOT EXISTS histories (
  store TEXT PRIMARY KEY, host TEXT NOT NULL, declared TEXT NOT NULL, declared_uuid TEXT NOT NULL, head TEXT NOT NULL,
  at TEXT NOT NULL, taken TEXT NOT NULL, run TEXT NOT NULL, place INTEGER NOT NULL, path TEXT NOT NULL,
  uuid TEXT NOT NULL, alive TEXT NOT NULL, aside TEXT NOT NULL, doubt TEXT, doubted TEXT);
CREATE TABLE IF NOT EXISTS accepted (
  store TEXT NOT NULL, head TEXT NOT NULL, before TEXT NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL, told TEXT,
  PRIMARY KEY (store, at));
"""


class KnownHistories:
    """One known history a store. What a store answered is not in it before it was proven."""

    def __init__(self, do: Callable[..., int], rows: Callable[..., list[tuple[Any, ...]]]) -> None:
        """`do` runs a statement of the journal with its values, `rows` gives the rows it selects."""
        self._do, self._rows = do, rows

    def last(self) -> Mapping[str, KnownHistory]:
        """What is known, by the name of the store."""
        rows = self._rows(
            "SELECT store, host, declared, declared_uuid, head, at, taken, run, place, path, uuid, alive, aside, "
            "doubt, doubted FROM histories"
        )
        return {row[0]: _known(row) for row in rows}

    def take(self, known: KnownHistory) -> None:
        """This is known from now on, in place of what was."""
        declared = known.declared
        self._do(
            "INSERT OR REPLACE INTO histories VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            known.store,
            declared.host,
            declared.path,
            declared.uuid,
            known.head,
            _text(known.at),
            known.taken.value,
            known.run,
            known.place,
            known.path,
            known.uuid,
            json.dumps(known.alive),
            json.dumps(known.aside),
            known.doubt.value if known.doubt else None,
            _text(known.doubted) if known.doubted else None,
        )

    def accept(self, known: KnownHistory, accepted: AcceptedHead) -> None:
        """A person takes it as known; the next report says so."""
        self._do(
            "INSERT OR REPLACE INTO accepted (store, head, before, at, who) VALUES (?, ?, ?, ?, ?)",
            accepted.store,
            accepted.head,
            accepted.before,
            _text(accepted.at),
            accepted.who,
        )
        self.take(known)

    def untold(self) -> tuple[AcceptedHead, ...]:
        """What people took as known and no report has said yet."""
        rows = self._rows("SELECT store, head, before, at, who FROM accepted WHERE told IS NULL ORDER BY rowid")
        return tuple(
            AcceptedHead(store=store, head=head, before=before, at=datetime.fromisoformat(at), who=who)
            for store, head, before, at, who in rows
        )

    def mention(self, accepted: AcceptedHead, at: datetime) -> None:
        """A report has said it."""
        self._do(
            "UPDATE accepted SET told = ? WHERE store = ? AND at = ?", _text(at), accepted.store, _text(accepted.at)
        )


def _known(row: tuple[Any, ...]) -> KnownHistory:
    store, host, declared, disk, head, at, taken, run, place, path, uuid, alive, aside, doubt, doubted = row
    return KnownHistory(
        store=store,
        declared=DeclaredPlace(host=host, path=declared, uuid=disk),
        head=head,
        at=datetime.fromisoformat(at),
        taken=HeadTaken(taken),
        run=run,
        place=place,
        path=path,
        uuid=uuid,
        alive=tuple(json.loads(alive)),
        aside=tuple(json.loads(aside)),
        doubt=HistoryDoubt(doubt) if doubt else None,
        doubted=datetime.fromisoformat(doubted) if doubted else None,
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
