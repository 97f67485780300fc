"""Names made from the time: of snapshots and of plans. UTC, so that their order is time's order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

SNAPSHOT = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z")
_SNAPSHOT_FORMAT = "%Y-%m-%dT%H%M%SZ"
_NEAR = timedelta(minutes=2)


def snapshot_name(moment: datetime) -> str:
    """Name a snapshot begun at `moment` (aware); whole seconds, UTC."""
    return moment.astimezone(UTC).strftime(_SNAPSHOT_FORMAT)


def snapshot_time(name: str) -> datetime | None:
    """The moment that a snapshot's name stands for, or None where it is not such a name."""
    if not SNAPSHOT.fullmatch(name):
        return None
    try:
        return datetime.strptime(name, _SNAPSHOT_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def next_snapshot_name(moment: datetime, taken: Iterable[str]) -> str | None:
    """A name later than every one in `taken`; None if the clock stands well before the latest.

    Two snapshots begun within moments of each other get names a second apart; a clock that jumped
    back gets no name, because snapshots would then be out of order for ever.
    """
    latest = max((time for name in taken if (time := snapshot_time(name))), default=None)
    if latest is None or moment >= latest + timedelta(seconds=1):
        return snapshot_name(moment)
    if latest - moment > _NEAR:
        return None
    return snapshot_name(latest + timedelta(seconds=1))


def plan_id(moment: datetime) -> str:
    """Name a plan made at `moment`; two plans of one controller never share a millisecond."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
