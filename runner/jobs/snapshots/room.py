"""Room for the next snapshot: what it will need, from the last ones, and what must go for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

from runner.jobs.retention import prune, retention
from runner.jobs.retention.room import floor, shortages
from runner.model.facts import Filesystem, Snapshot, Space, StoreFacts
from runner.model.site import Amount, Retention
from runner.model.text import count, size

_LAST = 7
_MARGIN = 1.5
_BLOCK = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a snapshot will probably take of the disk; 0 where nothing is known."""

    bytes: int = 0
    inodes: int = 0

    def words(self) -> str:
        """`12.3 MiB and 4,000 inodes`."""
        return f"{size(self.bytes)} and {count(self.inodes, 'inode')}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What goes before a snapshot is begun: None where there is room. `full`: it cannot even be tried."""

    need: Need
    decision: retention.Decision | None = None
    full: bool = False


def need(sealed: Sequence[Snapshot], filesystems: Sequence[Filesystem]) -> Need:
    """Half as much again as the last snapshots brought (median), and a block and an inode a folder.

    Before the first one: all that is on the filesystems; of a folder that stands in for one nobody knows.
    """
    if not sealed:
        real = [one for one in filesystems if one.type != "stand-in"]
        return Need(bytes=sum(one.used for one in real), inodes=sum(one.inodes_used for one in real))
    # The first of all is whole, and says nothing of a day.
    last = [
        one
        for one in sealed[-_LAST:]
        if one.name != sealed[0].name and one.added_bytes is not None and one.added_files is not None
    ]
    folders = sealed[-1].folders or 0
    if not last:
        return Need(bytes=_BLOCK * folders, inodes=folders)
    return Need(
        bytes=int(_MARGIN * median(one.added_bytes or 0 for one in last)) + _BLOCK * folders,
        inodes=int(_MARGIN * median(one.added_files or 0 for one in last)) + folders,
    )


def room(found: StoreFacts, policy: Retention | None, wanted: Need, now: datetime) -> Room:
    """What must go so that the snapshot has its room and the floors of `policy` hold afterwards.

    Only what goes for room: more than `max` is the business of a prune job.
    """
    space = found.space
    if policy is None or space is None:
        return Room(need=wanted)
    wider = _with(policy, space, wanted)
    if not shortages(wider, space):
        return Room(need=wanted)
    # Only room counts here: what is over max or thinned goes by a prune job, and must not be counted on.
    sealed = prune.counted(found)
    only_room = replace(wider, max=max(len(sealed), policy.max), thin=())
    decision = prune.careful(retention.decide(sealed, only_room, space, now), space)
    expire = tuple(one for one in decision.expire if one.goal in ("space", "inodes"))
    lacks = space.free < wanted.bytes or (space.inodes > 0 and space.inodes_free < wanted.inodes)
    full = lacks and not expire and not decision.unmeasured and bool(found.partials)
    return Room(need=wanted, decision=replace(decision, expire=expire), full=full)


def _with(policy: Retention, space: Space, wanted: Need) -> Retention:
    least_bytes = floor(policy.free_space, space.size) if policy.free_space else 0
    least_inodes = floor(policy.free_inodes, space.inodes) if policy.free_inodes else 0
    return replace(
        policy,
        free_space=Amount(bytes=least_bytes + wanted.bytes),
        free_inodes=Amount(bytes=least_inodes + wanted.inodes) if space.inodes else None,
    )
