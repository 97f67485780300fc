"""JSON from a host, one field at a time: what is missing or of another kind is simply not known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def last_object(said: str) -> Mapping[str, Any]:
    """The JSON object on the last line; empty where there is none."""
    try:
        found = json.loads(said.strip().rpartition("\n")[2])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def objects(found: object) -> tuple[Mapping[str, Any], ...]:
    """The objects in a list."""
    return tuple(one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def rows(found: object, width: int) -> tuple[tuple[str, ...], ...]:
    """The lists of exactly `width` texts in a list."""
    listed = found if isinstance(found, list) else ()
    return tuple(texts(one) for one in listed if isinstance(one, list) and len(texts(one)) == width)


def pairs(found: object) -> tuple[tuple[str, str], ...]:
    """The lists of two texts in a list."""
    return tuple((one[0], one[1]) for one in rows(found, 2))


def texts(found: object) -> tuple[str, ...]:
    """The texts in a list."""
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def text(found: object) -> str:
    """A text, or ""."""
    return found if isinstance(found, str) else ""


def whole(found: object) -> int | None:
    """A whole number, or None."""
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def number(found: object) -> float | None:
    """A number, or None."""
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def moment(found: object) -> datetime | None:
    """A time with an offset, as UTC, or None."""
    try:
        known = datetime.fromisoformat(text(found))
        return known.astimezone(UTC) if known.tzinfo else None
    except (ValueError, OverflowError):
        return None
