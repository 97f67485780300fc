"""The mark on a database, kept in its comment: whether it was restored here, or put aside for another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .. import clock
from .contract_restore import DatabaseMark
from .session import SqlSession
from .sql import identifier, literal

RESTORED, BEFORE = "restored", "before"
_COMMENT = """
select json_build_object('comment', shobj_description(oid, 'pg_database')) from pg_database where datname = {name};
"""


def comment_of(session: SqlSession, name: str) -> str | None:
    """The comment on a database; None where there is none."""
    rows = session.ask(_COMMENT.format(name=literal(name)))
    return rows[0]["comment"] if rows else None


def read(comment: str | None) -> DatabaseMark | None:
    """The mark that a comment is; None where it is somebody's own words."""
    mark = _table(comment)
    if mark is None:
        return None
    numbers = (mark.get(word) for word in ("tables", "rows"))
    tables, rows = (number if isinstance(number, int) and number > 0 else 0 for number in numbers)
    database, dump = (str(mark.get(word) or "") for word in ("database", "dump"))
    return DatabaseMark(str(mark["runner"]), database, dump, tables, rows, clock.moment(mark.get("until")))


def _table(comment: str | None) -> Mapping[str, Any] | None:
    try:
        mark = json.loads(comment or "")
    except ValueError:
        return None
    return mark if isinstance(mark, dict) and mark.get("runner") in (RESTORED, BEFORE) else None


def restored(name: str, comment: str | None) -> datetime | None:
    """When the database `name` was restored beside the one that it is of; None for any other.

    One that was given another name since, or that has the name of the one that was dumped, is in use.
    """
    mark = _table(comment)
    if mark is None or mark["runner"] != RESTORED or mark.get("into") != name or mark.get("database") == name:
        return None
    return clock.moment(mark.get("restored"))


def own(comment: str | None) -> str | None:
    """The words that people wrote on it, whether under a mark or not."""
    mark = _table(comment)
    words = mark.get("comment") if mark else comment
    return words if isinstance(words, str) else None


def writing(name: str, kind: str, comment: str | None, **more: object) -> str:
    """The statement that marks a database; `comment` is kept in it."""
    text = json.dumps({"runner": kind, **more, "comment": comment}, ensure_ascii=True)
    return f"comment on database {identifier(name)} is {literal(text)};"


def removing(name: str, comment: str | None) -> str:
    """The statement that leaves a database with nothing but people's own words."""
    return f"comment on database {identifier(name)} is {literal(comment) if comment is not None else 'null'};"
