"""The file of the journal and its tables: made whole, opened, looked at, and brought up to date."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.engine import announcements, aside, instants, migrate
from runner.engine.stores import known

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
  id TEXT PRIMARY KEY, started TEXT NOT NULL, ended TEXT, verdict TEXT, pid INTEGER NOT NULL, boot TEXT NOT NULL,
  killed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS plans (
  id TEXT PRIMARY KEY, run TEXT NOT NULL REFERENCES runs, made_at TEXT NOT NULL, plan TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS steps (
  plan TEXT NOT NULL REFERENCES plans, id TEXT NOT NULL, job TEXT NOT NULL, host TEXT NOT NULL,
  effect TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, state TEXT, exit INTEGER, result TEXT, log TEXT,
  note TEXT, role TEXT NOT NULL DEFAULT 'step', subject TEXT NOT NULL DEFAULT '', PRIMARY KEY (plan, id));
CREATE TABLE IF NOT EXISTS jobs (
  run TEXT NOT NULL REFERENCES runs, job TEXT NOT NULL, ended TEXT NOT NULL, verdict TEXT NOT NULL,
  started TEXT NOT NULL, bytes INTEGER, files INTEGER, headline TEXT NOT NULL, PRIMARY KEY (run, job));
CREATE INDEX IF NOT EXISTS jobs_by_name ON jobs (job, ended);
"""
_HALF = re.compile("[\ud800-\udfff]")
_TABLES = _SCHEMA + announcements.SCHEMA + instants.SCHEMA + aside.SCHEMA + known.SCHEMA


def opened(path: Path) -> sqlite3.Connection:
    """The journal at `path`, whole, as this runner has it; Unreadable where what is there is none."""
    aside.require_file(path)
    if not path.exists():
        _make(path)
    path.chmod(0o600)
    db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        aside.require_whole(db)
        migrate.require_known(db)
        db.executescript(_TABLES)
        migrate.to_newest(db)
        aside.require_tables(db, _TABLES)
    except BaseException as error:
        db.close()
        # Of its tables there is one that is none, or one of another shape.
        if aside.damaged(error) or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR:
            raise aside.Unreadable(str(error)) from error
        raise
    return db


def _make(path: Path) -> None:
    """A new one gets its name when it is whole: an empty file of that name is a damage, and no beginning."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        fresh.touch(0o600)
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(_TABLES)
            migrate.to_newest(db)
        # A log without its journal, as one who removes only that leaves it, would be played into this one.
        for end in aside.ENDS[:2]:
            path.with_name(path.name + end).unlink(missing_ok=True)
        fresh.rename(path)
    except BaseException:
        for end in aside.ENDS:
            fresh.with_name(fresh.name + end).unlink(missing_ok=True)
        raise


def answer_text(answer: Mapping[str, Any]) -> str:
    """What a host answered, as the column `result` has it; half a character in it is written out.

    SQLite takes it for JSON and cannot read half a character, nor what is beside it, of this step and of all others.
    """
    text = json.dumps(dict(answer), ensure_ascii=False, allow_nan=False)
    return _HALF.sub(lambda half: f"\\\\u{ord(half[0]):04x}", text)
