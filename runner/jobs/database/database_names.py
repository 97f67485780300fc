"""Names for databases that a restore makes or puts aside: the old name and the time, within what a server allows."""

from __future__ import annotations

from datetime import UTC, datetime

MOST_BYTES = 63


def restored(name: str, now: datetime) -> str:
    """What a database is called when it was restored beside `name` at `now`."""
    return _with(name, "_restored_", now)


def before(name: str, now: datetime) -> str:
    """What the database `name` is called after another took its place at `now`."""
    return _with(name, "_before_", now)


def wrong(name: str) -> str:
    """Why no database can have this name; "" where one can."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if "\0" in name:
        return "it has a NUL in it"
    if not size:
        return "it is empty"
    return f"it has {size} bytes, and {MOST_BYTES} are the most" if size > MOST_BYTES else ""


def _with(name: str, word: str, now: datetime) -> str:
    # Small letters and no dashes: who types it need not quote it.
    tail = f"{word}{now.astimezone(UTC):%Y%m%d_%H%M%S}"
    return name.encode()[: MOST_BYTES - len(tail)].decode(errors="ignore") + tail
