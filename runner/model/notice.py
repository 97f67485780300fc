"""A notice to the users of a host: it will be interrupted, it is back, it is late, or it stays up after all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One message to the users. `at` (UTC) is when the interruption begins, or began.

    `downtime` is how long it should take, least and most, in seconds; None where nobody knows that.
    `took` is how long it took, when it is over. `instead` is the time that was announced before, and no longer
    holds. `sandbox` as in a report: nothing is sent from there.
    """

    what: Literal["coming", "over", "late", "cancelled"]
    site: str
    job: str
    host: str
    at: datetime
    reason: str = ""
    timezone: str = "UTC"
    downtime: tuple[float, float] | None = None
    took: float | None = None
    instead: datetime | None = None
    sandbox: str = ""
    recipients: tuple[str, ...] = ()
