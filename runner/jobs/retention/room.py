"""How much room a store must keep free, how much is missing, and what expiring snapshots gains."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from runner.model.copies import interrupted, replaced
from runner.model.facts import Partial, Snapshot, Space, StoreFacts
from runner.model.site import Amount, Retention
from runner.model.text import count, size

Resource = Literal["space", "inodes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """That a reading of the store has at least `value` under `field`, or at most; `why` says it in words.

    `field` is `free_percent`, `free_inodes_percent`, `free_bytes` or `free_inodes`, of root's view, or `sealed`.
    """

    field: str
    value: float | int
    why: str
    relation: Literal[">=", "<="] = ">="


@dataclass(frozen=True, kw_only=True, slots=True)
class Short:
    """A floor that the free room is under: how much is `missing` (bytes or inodes), never 0.

    `share` is what is missing as a part of the whole disk, to compare bytes with inodes.
    """

    resource: Resource
    missing: int
    share: float
    claim: Claim

    def text(self, number: int) -> str:
        """`number` of this resource in words."""
        return size(number) if self.resource == "space" else count(number, "inode")


def shortages(policy: Retention, space: Space) -> tuple[Short, ...]:
    """The floors of `policy` that `space` is under, bytes first.

    Free is what root may still write (statvfs(3): f_bfree of f_blocks), reserved blocks included,
    since snapshots are written by root. A filesystem that counts no inodes never runs out of them.
    """
    floors = []
    if policy.free_space:
        floors.append(_short("space", policy.free_space, space.free, space.size))
    if policy.free_inodes and space.inodes:
        floors.append(_short("inodes", policy.free_inodes, space.inodes_free, space.inodes))
    return tuple(short for short in floors if short is not None)


def state(facts: StoreFacts, policy: Retention | None, gone: str = "") -> tuple[str, ...]:
    """What is amiss with a store that can be used, the worst first, each in a few words; () where all is well.

    `gone` says what it had and has no more. It is full where nothing may be sent there any more, or the last transfer
    was ended for room and there is no more room now; below its reserve where retention wants more free; and an
    interrupted snapshot waits for the next run.
    """
    space, words = facts.space, [*((gone,) if gone else ()), *_replaced(facts), *_unrecorded(facts.sealed)]
    if space and is_full(space, facts.partials):
        words.append("full")
    elif space and policy and (short := shortages(policy, space)):
        words.append(f"below its reserve of {' and '.join(lack.claim.why for lack in short)}")
    if partials := interrupted(facts):
        words.append(f"{waiting(partials)} {'waits' if len(partials) == 1 else 'wait'}")
    return tuple(words)


def _replaced(facts: StoreFacts) -> tuple[str, ...]:
    """In the place of how many snapshots there is something else."""
    names = replaced(facts)
    return (f"something else lies in the place of {count(len(names), 'snapshot')}",) if names else ()


def _unrecorded(snapshots: Sequence[Snapshot]) -> tuple[str, ...]:
    """How many folders count for nothing, and of how many snapshots it is not known whether they are clean."""
    without = sum(not snapshot.recorded for snapshot in snapshots)
    damaged = sum(snapshot.recorded and snapshot.exceptions is None for snapshot in snapshots)
    words = []
    if without:
        counts = "counts" if without == 1 else "count"
        words.append(f"{count(without, 'snapshot')} without a record {counts} for nothing")
    if damaged:
        records = "the record" if damaged == 1 else "the records"
        words.append(f"{records} of {count(damaged, 'snapshot')} cannot be read")
    return tuple(words)


def sent(partials: Sequence[Partial]) -> int | None:
    """What these take of the disk, about; None where that is not known of all."""
    known = [partial.sent for partial in partials if partial.sent is not None]
    return sum(known) if len(known) == len(partials) else None


def waiting(partials: Sequence[Partial]) -> str:
    """`2 interrupted snapshots of about 3.0 GiB`."""
    taken = sent(partials)
    return count(len(partials), "interrupted snapshot") + (f" of about {size(taken)}" if taken else "")


def is_full(space: Space, partials: Sequence[Partial]) -> bool:
    """Whether nothing may be sent there; or the last transfer was ended for room, and there is no more room now."""
    nothing = space.free < space.last or space.inodes_free < space.inodes_last
    return nothing or ended_for_room(space, partials)


def ended_for_room(space: Space, partials: Sequence[Partial]) -> bool:
    """Whether the last transfer was ended for room, and there is no more room now."""
    return bool(partials) and partials[-1].full is True and not _has_more_room(space, partials[-1])


def _has_more_room(space: Space, partial: Partial) -> bool:
    """Whether more is free than when the transfer of `partial` ended, as far as that is known, and not by a trifle."""
    more_bytes = partial.free is not None and space.free > partial.free + space.size // 1000
    more_inodes = partial.inodes_free is not None and space.inodes_free > partial.inodes_free + space.inodes // 1000
    return more_bytes or more_inodes


def floor(amount: Amount, whole: int) -> int:
    """The least number that is not under `amount` of `whole`, exactly: percent has three places."""
    if amount.percent is None:
        return amount.bytes or 0
    return -(-whole * round(amount.percent * 1000) // 100_000)


def brought(snapshots: Sequence[Snapshot]) -> tuple[int | None, ...]:
    """What each took of the disk without its folders, None where that is not known.

    Records of an older runner say only how long the files were that came, holes and all: they count as long as no
    record says more.
    """
    known = any(snapshot.added_room is not None for snapshot in snapshots)
    return tuple(snapshot.added_room if known else snapshot.added_bytes for snapshot in snapshots)


def surely_freed(ordered: Sequence[Snapshot], gone: Collection[int], resource: Resource) -> int:
    """What expiring those at the indices `gone` frees at least.

    Measured is what each frees *together with every older one*. One that stays among the older may
    share anything with those that go: so only the unbroken run from the oldest is counted.
    """
    sure = 0
    for index, snapshot in enumerate(ordered):
        if index not in gone:
            break
        sure = max(sure, _freed(snapshot, resource) or 0)
    return sure


def freed_at_most(ordered: Sequence[Snapshot], gone: Collection[int], resource: Resource) -> int | None:
    """What expiring those at `gone` frees at most: no more than all up to the newest of them.

    None where that was not measured.
    """
    if not gone:
        return 0
    return next((freed for later in ordered[max(gone) :] if (freed := _freed(later, resource)) is not None), None)


def _freed(snapshot: Snapshot, resource: Resource) -> int | None:
    return snapshot.freed_bytes if resource == "space" else snapshot.freed_inodes


def _short(resource: Resource, amount: Amount, free: int, whole: int) -> Short | None:
    least, percent, space = floor(amount, whole), amount.percent, resource == "space"
    missing = least - free
    if missing <= 0:
        return None
    what = "free" if space else "free inodes"
    if percent is None:
        number = size(least) if space else f"{least:,}"
        claim = Claim(field="free_bytes" if space else "free_inodes", value=least, why=f"{number} {what}")
    else:
        field = "free_percent" if space else "free_inodes_percent"
        claim = Claim(field=field, value=percent, why=f"{percent:g} % {what}")
    return Short(resource=resource, missing=missing, share=missing / max(whole, 1), claim=claim)
