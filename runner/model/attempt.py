"""What somebody tried with a key, and the policy of a host refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runner.model.names import Count


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """What the policy of a host refused to somebody with `key`: how many times, when `first` and `last` (UTC)."""

    key: str
    what: str
    first: datetime
    last: datetime
    times: Count
