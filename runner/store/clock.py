"""Times as text and back: UTC, ISO 8601."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from .say import Refused


def now() -> str:
    """The time of this machine, UTC, to the microsecond."""
    seconds, rest = divmod(time.time_ns(), 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1000:06d}Z"


def nanoseconds(text: str) -> int:
    """The time `text` in nanoseconds since 1970; it must have an offset or `Z`. Raises Refused."""
    try:
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused(f"not a time with an offset: {text!r}", "give it as 2026-11-23T08:15:00Z")
    start = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return (moment - start) // timedelta(microseconds=1) * 1000
