"""Times as text and back: UTC, ISO 8601."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .answer import Refused

if TYPE_CHECKING:
    from datetime import datetime

FIRST_YEAR, LAST_YEAR = 1970, 2099
# The last moment of them, in nanoseconds since 1970.
LAST = 4_102_444_799 * 10**9


def now() -> str:
    """The time of this machine, UTC, to the microsecond."""
    return text(time.time_ns())


def text(nanoseconds: int) -> str:
    """A time in nanoseconds since 1970 as text, UTC, to the microsecond."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1000:06d}Z"


def at(nanoseconds: int) -> datetime:
    """A time in nanoseconds since 1970, UTC, to the microsecond."""
    from datetime import datetime, timedelta, timezone  # noqa: PLC0415  (most only write the time, and start without)

    start = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017
    return start + timedelta(microseconds=nanoseconds // 1000)


def moment(value: object) -> datetime | None:
    """The time in a record, None where it has none, or one that no clock of ours has shown or will."""
    try:
        known = at(nanoseconds(str(value)))
    except Refused:
        return None
    return known if FIRST_YEAR <= known.year <= LAST_YEAR else None


def nanoseconds(time_text: str) -> int:
    """A time as text in nanoseconds since 1970; it must have an offset or `Z`. Raises Refused."""
    from datetime import datetime, timedelta, timezone  # noqa: PLC0415

    try:
        given = datetime.fromisoformat(time_text[:-1] + "+00:00" if time_text.endswith("Z") else time_text)
        # Beyond the calendar in UTC it is a time that nobody could write down.
        moment = given.astimezone(timezone.utc) if given.tzinfo else None  # noqa: UP017
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise Refused(f"not a time with an offset: {time_text!r}", "give it as 2026-11-23T08:15:00Z")
    start = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return (moment - start) // timedelta(microseconds=1) * 1000
