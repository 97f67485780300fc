"""Which snapshots of a store expire, which stay, and why: from what is there, policy, room and time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from runner.jobs.retention.doubts import Doubt, clock_ahead, clock_behind, moments, shrunk
from runner.jobs.retention.room import Claim, Short, freed_at_most, shortages, surely_freed
from runner.jobs.retention.thinning import Choice, Protected, Protection, is_clean, stand_ins
from runner.model.facts import Snapshot, Space
from runner.model.names import snapshot_time
from runner.model.site import Retention
from runner.model.text import count, one_line

Goal = Literal["over max", "thinned", "space", "inodes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A snapshot that stays, and why."""

    snapshot: Snapshot
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Expired:
    """A snapshot that goes, for which goal, and why; it need not go any more once `unless` holds.

    Where bytes and inodes are both short, all that go for room carry the claim of the one that takes
    more of them: should it be met early, the other is looked at when it is decided again.
    """

    snapshot: Snapshot
    goal: Goal
    reason: str
    unless: Claim | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What becomes of every sealed snapshot: each is in `keep` or in `expire`, never in both.

    `keep` is oldest first. `expire` is in the order to do it in: what goes whatever the room, then
    what goes for room, each oldest first. If `frozen` is not empty it says why nothing expires, and
    `do` what a person should do. `cause` is the doubt that froze it. `doubts` is what a person should see
    although something may expire.
    `unmeasured` names those that go for room while it is not known what they free, oldest first: to
    measure that and decide again is better than to try.
    """

    keep: tuple[Kept, ...]
    expire: tuple[Expired, ...] = ()
    frozen: str = ""
    do: str = ""
    doubts: tuple[Doubt, ...] = ()
    unmeasured: tuple[str, ...] = ()
    cause: Doubt | None = None


def decide(sealed: Sequence[Snapshot], policy: Retention | None, space: Space | None, now: datetime) -> Decision:
    """Decide about `sealed`, given in any order; `space` is None if not measured, `now` is aware.

    First thinning, then `max`, then room: each takes the oldest that may go, and no more than it
    needs, as far as it is known what expiring them frees. Never goes: the newest, the newest without
    exceptions, one that is pinned or being read, the last that was proven to come back, one whose name
    tells no time. After each that goes there are at least `min` without exceptions: one with exceptions
    does not count towards `min`, so it may go at exactly `min`, and nothing may below. If what is missing
    cannot be freed, nothing goes.
    """
    ordered = sorted(sealed, key=lambda one: one.name)
    if policy is None:
        return Decision(keep=_all_stay(ordered, "no retention is declared for this store"))
    times = moments(ordered)
    doubts = (clock_behind(times, now), shrunk(ordered, policy.max_shrink), _unmeasured(policy, space))
    if any(doubts):
        return _frozen(ordered, *doubts)
    ahead = clock_ahead(times, now)
    protected = _protected(ordered, times[-1] if ahead and times else now)
    stands = stand_ins(ordered, policy.thin)
    outside = {one.name for one in ordered if policy.thin and not ahead} - stands.keys()
    short = shortages(policy, space) if space else ()
    choice = Choice(ordered, protected, policy.min)
    whatever = (*_thin(choice, policy, outside), *_to_max(choice, policy))
    for_room = _for_room(choice, short)
    out_of_reach = _out_of_reach(choice, policy, short)
    if out_of_reach:
        return _frozen(ordered, out_of_reach, ahead)
    keep = tuple(
        Kept(snapshot=one, reason=_why_kept(choice, index, policy, stands))
        for index, one in enumerate(ordered)
        if index not in choice.gone
    )
    return Decision(
        keep=keep,
        expire=(*sorted(whatever, key=lambda one: one.snapshot.name), *for_room),
        doubts=tuple(one for one in (ahead, _still_over(choice, policy)) if one),
        unmeasured=tuple(one.snapshot.name for one in for_room if not _is_measured(one.snapshot)),
    )


def _thin(choice: Choice, policy: Retention, outside: Collection[str]) -> tuple[Expired, ...]:
    reason = "stands for no " + ", ".join(
        f"{one.period} {'all' if one.count is None else one.count}" for one in policy.thin
    )
    return tuple(
        Expired(snapshot=one, goal="thinned", reason=reason)
        for index, one in enumerate(choice.ordered)
        if one.name in outside and choice.take(index)
    )


def _to_max(choice: Choice, policy: Retention) -> tuple[Expired, ...]:
    found = []
    total = choice.left
    for index, snapshot in enumerate(choice.ordered):
        if choice.left <= policy.max:
            break
        if choice.take(index):
            reason = f"the oldest: {count(total, 'snapshot')}, max is {policy.max}"
            found.append(Expired(snapshot=snapshot, goal="over max", reason=reason))
    return tuple(found)


def _for_room(choice: Choice, short: Sequence[Short]) -> tuple[Expired, ...]:
    found: list[Snapshot] = []
    scarce: Short | None = None
    for index, snapshot in enumerate(choice.ordered):
        lacking = [one for one in short if surely_freed(choice.ordered, choice.gone, one.resource) < one.missing]
        if not lacking:
            break
        if choice.take(index):
            found.append(snapshot)
            scarce = max(lacking, key=lambda one: one.share)
    if scarce is None:
        return ()
    reason = "the oldest: " + ", ".join(f"{one.told(one.missing)} missing for {one.claim.why}" for one in short)
    return tuple(Expired(snapshot=one, goal=scarce.resource, reason=reason, unless=scarce.claim) for one in found)


def _out_of_reach(choice: Choice, policy: Retention, short: Sequence[Short]) -> Doubt | None:
    """Doubt that expiring is the remedy, where all that may go cannot free what is missing."""
    for one in short:
        most = freed_at_most(choice.ordered, choice.gone, one.resource)
        if most is not None and most < one.missing:
            may = count(len(choice.gone), "snapshot")
            return Doubt(
                text=f"{one.claim.why} cannot be had: {one.told(one.missing)} missing, and the {may} that "
                f"may go would free {one.told(most)} at most; in the way: {choice.obstacles()}, and whatever "
                "is on the disk that is no snapshot",
                do="see what else fills the disk and remove it, or take a larger disk; or ask for less room, "
                f"or for fewer than min = {policy.min} snapshots",
            )
    return None


def _still_over(choice: Choice, policy: Retention) -> Doubt | None:
    if choice.left <= policy.max:
        return None
    return Doubt(
        text=f"{count(choice.left, 'snapshot')} are left, max is {policy.max}; in the way: {choice.obstacles()}",
        do="unpin what need not stay, see why snapshots have exceptions: only those without count; and let a "
        "drill prove a newer one",
    )


def _protected(ordered: Sequence[Snapshot], now: datetime) -> dict[int, Protected]:
    """What may never go, by index, and why."""
    why: dict[int, Protected] = {}
    for index, one in enumerate(ordered):
        if snapshot_time(one.name) is None:
            why[index] = Protected(by=Protection.UNDATED)
        elif one.being_read:
            why[index] = Protected(by=Protection.READ)
        elif one.pinned_until is not None and one.pinned_until.astimezone(UTC) > now:
            more = f" until {one.pinned_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            more += f": {one_line(one.pinned_why)}" if one.pinned_why else ""
            why[index] = Protected(by=Protection.PINNED, more=more)
        elif one.proven:
            why[index] = Protected(by=Protection.PROVEN)
    dated = [index for index, one in enumerate(ordered) if snapshot_time(one.name) is not None]
    clean = [index for index in dated if is_clean(ordered[index])]
    why.update({index: Protected(by=Protection.CLEAN) for index in clean[-1:]})
    why.update({index: Protected(by=Protection.NEWEST) for index in dated[-1:]})
    return why


def _why_kept(choice: Choice, index: int, policy: Retention, stands: Mapping[str, tuple[str, ...]]) -> str:
    periods = stands.get(choice.ordered[index].name, ())
    if index in choice.protected:
        return choice.protected[index].text
    if index in choice.held:
        return f"needed for min: {policy.min} without exceptions must stay"
    if periods:
        return "stands for its " + ", ".join(periods)
    return f"within max: {policy.max}"


def _unmeasured(policy: Retention, space: Space | None) -> Doubt | None:
    if not (policy.free_space or policy.free_inodes) or (space is not None and space.size > 0):
        return None
    return Doubt(
        text="how much room is free was not measured, and room is to be kept free",
        do="see what the plan says about this store's host and disk",
    )


def _is_measured(snapshot: Snapshot) -> bool:
    return snapshot.freed_bytes is not None and snapshot.freed_inodes is not None


def _frozen(ordered: Sequence[Snapshot], *doubts: Doubt | None) -> Decision:
    first, *rest = (one for one in doubts if one)
    keep = _all_stay(ordered, "nothing expires now")
    return Decision(keep=keep, frozen=first.text, do=first.do, doubts=tuple(rest), cause=first)


def _all_stay(ordered: Sequence[Snapshot], reason: str) -> tuple[Kept, ...]:
    return tuple(Kept(snapshot=one, reason=reason) for one in ordered)
