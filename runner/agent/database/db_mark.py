"""What we write on a database, as its comment: that we restored it and from what, or whose place it had."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .session import Session
from .sql import identifier, literal

RESTORED, BEFORE = "restored", "before"
_COMMENT = """
select json_build_object('comment', shobj_description(oid, 'pg_database')) from pg_database where datname = {name};
"""


def comment_of(one: Session, name: str) -> str | None:
    """The comment on a database; None where there is none."""
    found = one.ask(_COMMENT.format(name=literal(name)))
    return found[0]["comment"] if found else None


def read(comment: str | None) -> Mapping[str, Any] | None:
    """The mark that a comment is; None where it is somebody's own words.

    `runner` is `restored` or `before`; `comment` is what stood there of its own.
    """
    try:
        found = json.loads(comment or "")
    except ValueError:
        return None
    known = isinstance(found, dict) and found.get("runner") in (RESTORED, BEFORE)
    return found if known else None


def own(comment: str | None) -> str | None:
    """The words that people wrote on it, whether under a mark or not."""
    mark = read(comment)
    told = mark.get("comment") if mark else comment
    return told if isinstance(told, str) else None


def writing(name: str, kind: str, comment: str | None, **more: object) -> str:
    """The statement that marks a database; `comment` is kept in it."""
    text = json.dumps({"runner": kind, **more, "comment": comment}, ensure_ascii=True)
    return f"comment on database {identifier(name)} is {literal(text)};"


def removing(name: str, comment: str | None) -> str:
    """The statement that leaves a database with nothing but people's own words."""
    return f"comment on database {identifier(name)} is {literal(comment) if comment is not None else 'null'};"
