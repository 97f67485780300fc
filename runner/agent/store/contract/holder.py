"""Who holds a store, as it is answered."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional


class HolderAnswer(NamedTuple):
    """Who holds a lock, as far as that is known."""

    plan: str = ""
    who: str = ""
    pid: int = 0
    since: Optional[datetime] = None


class LockAnswer(NamedTuple):
    """A HoldAnswer, or the refusal in its place: `holder` has the lock."""

    held: bool
    holder: Optional[HolderAnswer] = None
