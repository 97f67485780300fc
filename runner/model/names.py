"""Names made from the time: of snapshots and of plans. UTC, so that their order is time's order.

Also the patterns of what hosts answer and plans are made of, as types: whoever reads an answer holds it to them.
`agent/arguments.py` has the same ones for the other side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

# A time of the calendar, from 1970 to 2099: nothing is reckoned from any other.
SNAPSHOT = re.compile(
    r"(?!(?:19|20)(?:[02468][1235679]|[13579][013-57-9])-02-29)(?:19[7-9][0-9]|20[0-9]{2})-"
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))"
    r"T(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z"
)
SnapshotName = Annotated[str, SNAPSHOT]
SnapshotNameOrNone = Annotated[str, re.compile(f"(?:{SNAPSHOT.pattern})?")]
# From the root, and no part of it is empty, `.` or `..`.
AbsolutePath = Annotated[str, re.compile(r"/|(?:/(?!\.{1,2}(?:/|\Z))[^/\0]{1,255})+")]
UUID = re.compile(r"(?:[0-9A-Za-z][0-9A-Za-z-]{0,63})?")
Uuid = Annotated[str, UUID]
# machine-id(5), "" where it is not known.
MACHINE = re.compile(r"(?:[0-9a-f]{32})?")
MachineId = Annotated[str, MACHINE]
# What a program calls a method or a version: it may become a part of an option.
PlainWord = Annotated[str, re.compile(r"(?:[0-9A-Za-z][0-9A-Za-z.+_-]{0,63})?")]
Digest = Annotated[str, re.compile(r"(?:[0-9a-f]{64})?")]
# The head of a store's chain: the number of its last line, and the SHA-256 of that.
HEAD = re.compile(r"(?:[1-9][0-9]{0,11}:[0-9a-f]{64})?")
ChainHead = Annotated[str, HEAD]
# A number that is never below zero, as in the contracts of the agent.
Count = Annotated[int, 0]
_SNAPSHOT_FORMAT = "%Y-%m-%dT%H%M%SZ"
# Names so close to each other are put in order; a clock that stands further back is wrong.
CLOSE = timedelta(minutes=2)


def snapshot_name(moment: datetime) -> str:
    """Name a snapshot begun at `moment` (aware); whole seconds, UTC."""
    return moment.astimezone(UTC).strftime(_SNAPSHOT_FORMAT)


@lru_cache(maxsize=4096)
def snapshot_time(name: str) -> datetime | None:
    """The moment that a snapshot's name stands for, or None where it is not such a name."""
    # Of each name of a full store a plan asks fifty times.
    return datetime.fromisoformat(name) if SNAPSHOT.fullmatch(name) else None


def next_snapshot_name(moment: datetime, taken: Iterable[str]) -> str | None:
    """A name later than every one in `taken`; None if the clock stands well before the latest.

    Two snapshots begun within moments of each other get names a second apart; a clock that jumped
    back gets no name, because snapshots would then be out of order for ever.
    """
    latest = max((time for name in taken if (time := snapshot_time(name))), default=None)
    if latest is None or moment >= latest + timedelta(seconds=1):
        return snapshot_name(moment)
    if latest - moment > CLOSE:
        return None
    return snapshot_name(latest + timedelta(seconds=1))


def plan_id(moment: datetime) -> str:
    """Name a plan made at `moment`; two plans of one controller never share a millisecond."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
