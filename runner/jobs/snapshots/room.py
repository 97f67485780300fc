"""Room for the next snapshot: what it will need, from the last ones, and what must go for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

from runner.jobs.retention import prune, retention
from runner.jobs.retention.room import brought, floor, shortages
from runner.model.facts import STAND_IN, Filesystem, Snapshot, Space, StoreFacts
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
class RoomToMake:
    """What goes before a snapshot is begun: None where there is room. `full`: it cannot even be tried."""

    need: Need
    decision: retention.Decision | None = None
    full: bool = False


def need(sealed: Sequence[Snapshot], filesystems: Sequence[Filesystem]) -> Need:
    """Half as much again as the last snapshots brought (median), and a block and an inode a folder.

    Before the first one: all that is on the filesystems; of a folder that stands in for one that is not known.
    """
    if not sealed:
        real = [filesystem for filesystem in filesystems if filesystem.type != STAND_IN]
        return Need(bytes=sum(each.used for each in real), inodes=sum(each.inodes_used for each in real))
    # The first of all is whole, and no measure of a day.
    last = sealed[1:][-_LAST:]
    usual_bytes = median([taken for taken in brought(last) if taken is not None] or [0])
    usual_files = median([each.added_files for each in last if each.added_files is not None] or [0])
    folders = sealed[-1].folders or 0
    return Need(bytes=int(_MARGIN * usual_bytes) + _BLOCK * folders, inodes=int(_MARGIN * usual_files) + folders)


def room(facts: StoreFacts, policy: Retention | None, need: Need, now: datetime) -> RoomToMake:
    """What must go so that the snapshot has its room and the floors of `policy` hold afterwards.

    Only what goes for room: more than `max` is the business of a prune job.
    """
    space = facts.space
    if policy is None or space is None:
        return RoomToMake(need=need)
    wider = _with(policy, space, need)
    if not shortages(wider, space):
        return RoomToMake(need=need)
    # Only room counts here: what is over max or thinned goes by a prune job, and must not be counted on.
    sealed = prune.counted(facts)
    only_room = replace(wider, max=max(len(sealed), policy.max), thin=())
    decision = prune.careful(retention.decide(sealed, only_room, space, now), space)
    without_floors = replace(policy, free_space=None, free_inodes=None)
    lacks = bool(shortages(_with(without_floors, space, need), space))
    full = lacks and not decision.expire and not decision.unmeasured and bool(facts.partials)
    return RoomToMake(need=need, decision=decision, full=full)


def _with(policy: Retention, space: Space, need: Need) -> Retention:
    least_bytes = floor(policy.free_space, space.size) if policy.free_space else 0
    least_inodes = floor(policy.free_inodes, space.inodes) if policy.free_inodes else 0
    return replace(
        policy, free_space=Amount(bytes=least_bytes + need.bytes), free_inodes=Amount(bytes=least_inodes + need.inodes)
    )
