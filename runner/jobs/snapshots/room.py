"""Room for the next snapshot: what it will need, what must go for it, and whether it can fit at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from statistics import median

from runner.jobs.retention import prune, retention
from runner.jobs.retention.room import brought, ended_for_room, floor, shortages
from runner.model.facts import STAND_IN, Filesystem, Partial, Snapshot, Space, StoreFacts
from runner.model.site import Amount, Retention
from runner.model.text import count, size

_LAST = 7
_MARGIN = 1.5
_BLOCK = 4096
# Of what a filesystem says is used, some is in files that are deleted and open, and in folders that are copied tighter.
_SURELY = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a snapshot will probably take of the disk, and what it takes at least; 0 where nothing is known."""

    bytes: int = 0
    inodes: int = 0
    least_bytes: int = 0
    least_inodes: int = 0

    def words(self) -> str:
        """`12.3 MiB and 4,000 inodes`."""
        return f"{size(self.bytes)} and {count(self.inodes, 'inode')}"


class Fit(Enum):
    """Whether a snapshot fits. TIGHT: it may or may not, and is tried. FULL: it is known that it does not."""

    GOOD = "good"
    TIGHT = "tight"
    FULL = "full"


@dataclass(frozen=True, kw_only=True, slots=True)
class RoomToMake:
    """What goes before a snapshot is begun: None where nothing need go, or nothing ever does; and whether it fits then.

    `free` is what it may take of the disk before that. `tried`: the last one was ended for room, and there is
    no more now.
    """

    need: Need
    decision: retention.Decision | None = None
    fit: Fit = Fit.GOOD
    free: Need = Need()
    tried: bool = False


def need(sealed: Sequence[Snapshot], fresh: Sequence[Filesystem] = (), partly: Collection[str] = ()) -> Need:
    """Half as much again as the last snapshots brought (median), a block and an inode a folder, and all that is fresh.

    `fresh` are the filesystems that no snapshot has yet: each is copied whole. Of the mount points in `partly`
    something is left out, nobody knows how much: they may need nothing. Of a folder that stands in for one nothing is
    known.

    At least it needs nine tenths of what is fresh, and inodes for as many folders: all are made anew. For files that
    many days brought, a quiet one may bring none. Room is made for what is probable, and a snapshot is given up only
    for what is sure: to begin one that does not fit costs time and no more, since `keep-room` ends it; to refuse one
    that fits costs the snapshot.
    """
    # Subvolumes have one pool, and each says what all of it holds.
    pools = {each.source if each.type == "btrfs" else each.mount: each for each in fresh if each.type != STAND_IN}
    real = tuple(pools.values())
    sure = [each for each in real if each.mount not in partly and each.root == "/" and each.type != "btrfs"]
    # The first of all is whole, and no measure of a day.
    last = sealed[1:][-_LAST:]
    room = [taken for taken in brought(last) if taken is not None]
    files = [each.added_files for each in last if each.added_files is not None]
    folders = (sealed[-1].folders or 0) if sealed else 0
    return Need(
        bytes=int(_MARGIN * median(room or [0])) + _BLOCK * folders + sum(each.used for each in real),
        inodes=int(_MARGIN * median(files or [0])) + folders + sum(each.inodes_used for each in real),
        # Some filesystems keep a small folder in its inode.
        least_bytes=int(_SURELY * sum(each.used for each in sure)),
        least_inodes=int(_SURELY * (folders + sum(each.inodes_used for each in sure))),
    )


def room(facts: StoreFacts, policy: Retention | None, need: Need, now: datetime) -> RoomToMake:
    """What must go so that the snapshot has its room and the floors of `policy` hold afterwards, and whether it fits.

    Only what goes for room: more than `max` is the business of a prune job. The last of the disk is nobody's.
    """
    space = facts.space
    if space is None:
        return RoomToMake(need=need)
    free = Need(bytes=max(0, space.free - space.last), inodes=max(0, space.inodes_free - space.inodes_last))
    tried = ended_for_room(space, facts.partials)
    wanted = _more(need, free, space) if tried else need
    decision = None
    if policy and shortages(wider := _with(policy, space, wanted), space):
        # Only room counts here: what is over max or thinned goes by a prune job, and must not be counted on.
        sealed = prune.counted(facts)
        only_room = replace(wider, max=max(len(sealed), policy.max), thin=())
        decision = prune.careful(retention.decide_unless(facts.doubted, sealed, only_room, space, now), space)
        decision = prune.within(decision, facts.rates)
    makes_room = decision is not None and bool(decision.expire or decision.unmeasured)
    fit = Fit.GOOD if makes_room else Fit.FULL if tried else _fit(facts.partials, space, need)
    return RoomToMake(need=need, decision=decision, fit=fit, free=free, tried=tried)


def _more(need: Need, free: Need, space: Space) -> Need:
    """What one needs that did not fit: however much that is, it is more than is free of what was scarce."""
    # Of what ran out most of what is left is the last. A filesystem that counts no inodes has a last of 0.
    if space.inodes_free * space.last < space.free * space.inodes_last:
        return replace(need, inodes=max(need.inodes, free.inodes + 1))
    return replace(need, bytes=max(need.bytes, free.bytes + 1))


def _fit(partials: Sequence[Partial], space: Space, need: Need) -> Fit:
    """Whether it fits where nothing goes."""
    # What was sent is there already, but for the folders. Where nobody knows how much that is, it may be all.
    sent = [(partial.sent, partial.inodes_sent) for partial in partials]
    known = [(taken, inodes) for taken, inodes in sent if taken is not None and inodes is not None]
    unknown = len(known) < len(sent)
    least_bytes = 0 if unknown else max(0, need.least_bytes - sum(taken for taken, _ in known))
    least_inodes = 0 if unknown else max(0, need.least_inodes - sum(inodes for _, inodes in known))
    if _lacks(space, least_bytes, least_inodes):
        return Fit.FULL
    if not _lacks(space, need.bytes, need.inodes):
        return Fit.GOOD
    # Of what the last one ended nobody knows: it may well have been tried.
    return Fit.FULL if partials and partials[-1].full is None else Fit.TIGHT


def _lacks(space: Space, least_bytes: int, least_inodes: int) -> bool:
    inodes = bool(space.inodes) and space.inodes_free < space.inodes_last + least_inodes
    return inodes or space.free < space.last + least_bytes


def _with(policy: Retention, space: Space, need: Need) -> Retention:
    least_bytes = max(space.last, floor(policy.free_space, space.size) if policy.free_space else 0)
    least_inodes = max(space.inodes_last, floor(policy.free_inodes, space.inodes) if policy.free_inodes else 0)
    return replace(
        policy, free_space=Amount(bytes=least_bytes + need.bytes), free_inodes=Amount(bytes=least_inodes + need.inodes)
    )
