"""Which snapshots of a store expire, which stay, and why: from what is there, policy, room and time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from runner.jobs.retention.doubts import Doubt, clock_ahead, clock_behind, history, moments, sources
from runner.jobs.retention.room import Claim, Short, freed_at_most, shortages, surely_freed
from runner.jobs.retention.thinning import Protected, Protection, Selection, extras, is_clean, stand_ins
from runner.model.cause import Fault
from runner.model.facts import Snapshot, Space
from runner.model.names import snapshot_time
from runner.model.site import Retention
from runner.model.text import count, one_line

Goal = Literal["over max", "thinned", "space", "inodes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptSnapshot:
    """A snapshot that stays, and why."""

    snapshot: Snapshot
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Expiry:
    """A snapshot that goes, for which goal, and why; it need not go any more once `unless` holds.

    Where bytes and inodes are both short, all that go for room carry the claim of the one that takes
    more of them: should it be met early, the other is looked at when it is decided again. `extra`: it
    counts for nothing, so it goes first, and for room also where it is not known what it frees.
    """

    snapshot: Snapshot
    goal: Goal
    reason: str
    unless: Claim | None = None
    extra: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What becomes of every sealed snapshot: each is in `keep` or in `expire`, never in both.

    `keep` is oldest first. `expire` is in the order to do it in: what goes whatever the room, oldest first,
    then what goes for room, the extra ones of a day before the oldest. `frozen` is why nothing expires, ""
    where something may, and `do` what a person should do. `cause` is the doubt that froze it. `doubts` is
    what a person should see although something may expire.
    `unmeasured` names those that go for room while it is not known what they free, oldest first: to
    measure that and decide again is better than to try. So many go `later`, which nobody lets go yet.
    """

    keep: tuple[KeptSnapshot, ...]
    expire: tuple[Expiry, ...] = ()
    frozen: str = ""
    do: str = ""
    doubts: tuple[Doubt, ...] = ()
    unmeasured: tuple[str, ...] = ()
    cause: Doubt | None = None
    later: int = 0


def decide(
    sealed: Sequence[Snapshot],
    policy: Retention | None,
    space: Space | None,
    now: datetime,
    coming: Snapshot | None = None,
) -> Decision:
    """Decide about `sealed`, given in any order; `space` is None if not measured, `now` is aware.

    First thinning, then `max`, then room: each takes the extra ones of a day and then the oldest that may go,
    and no more than it needs, as far as it is known what expiring them frees. What a day has beyond `per_day`
    is extra: it counts neither towards `min` nor towards `max`, and stands for no period. Never goes: the newest, the
    newest without exceptions, one that is pinned or being read, the last that was proven to come back, one whose name
    is no time, and one whose record cannot be read. After each that goes there are at least `min` without exceptions;
    one with exceptions does not count there, so it may go at exactly `min`. If what is missing cannot be freed, nothing
    goes. For `coming`, which the plan makes before, another goes over `max`, unless it is not there by then.
    """
    ordered = sorted(sealed, key=lambda snapshot: snapshot.name)
    if policy is None:
        return Decision(keep=_all_stay(ordered, "no retention is declared for this store"))
    times = moments(ordered)
    extra = extras(ordered, policy.per_day)
    counted = tuple(snapshot for snapshot in ordered if snapshot.name not in extra)
    doubts = (clock_behind(times, now), *sources(counted, policy.max_shrink), _unmeasured(policy, space))
    if any(doubts):
        return _frozen(ordered, *doubts)
    ahead = clock_ahead(times, now)
    protected = _protected(ordered, times[-1] if ahead else now)
    stands = stand_ins(counted, policy.thin)
    outside = {snapshot.name for snapshot in ordered if policy.thin and not ahead} - stands.keys()
    short = shortages(policy, space) if space else ()
    selection = Selection(ordered, protected, policy)
    whatever = sorted((*_thin(selection, policy, outside), *_to_max(selection, policy)), key=_by_name)
    for_coming = _for_coming(selection, policy, coming) if coming else ()
    for_room = _for_room(selection, policy, short)
    if out_of_reach := _out_of_reach(selection, policy, short):
        return _frozen(ordered, out_of_reach, ahead)
    keep = tuple(
        KeptSnapshot(snapshot=snapshot, reason=_why_kept(selection, index, policy, stands))
        for index, snapshot in enumerate(ordered)
        if index not in selection.gone
    )
    return Decision(
        keep=keep,
        expire=(*whatever, *for_coming, *for_room),
        doubts=tuple(doubt for doubt in (ahead, _over_max(selection, policy)) if doubt),
        unmeasured=tuple(
            expiry.snapshot.name for expiry in for_room if not expiry.extra and not _is_measured(expiry.snapshot)
        ),
    )


def decide_unless(
    doubted: str,
    sealed: Sequence[Snapshot],
    policy: Retention | None,
    space: Space | None,
    now: datetime,
    coming: Snapshot | None = None,
) -> Decision:
    """As `decide`; where the history of the store is `doubted` nothing goes: what is left may be all that is good."""
    if doubted and policy:
        return _frozen(sorted(sealed, key=lambda snapshot: snapshot.name), history(doubted))
    return decide(sealed, policy, space, now, coming)


def _by_name(expiry: Expiry) -> str:
    return expiry.snapshot.name


def _thin(selection: Selection, policy: Retention, outside: Collection[str]) -> tuple[Expiry, ...]:
    reason = "stands for no " + ", ".join(
        f"{rule.period} {'all' if rule.count is None else rule.count}" for rule in policy.thin
    )
    return tuple(
        Expiry(snapshot=snapshot, goal="thinned", reason=reason)
        for index, snapshot in enumerate(selection.ordered)
        if snapshot.name in outside and selection.take(index)
    )


def _to_max(selection: Selection, policy: Retention) -> tuple[Expiry, ...]:
    expiring = []
    total = selection.counting
    for index in selection.first_to_go:
        extra = index in selection.extra
        # The extra ones count for nothing, so none that counts goes for them.
        if (selection.left if extra else selection.counting) > policy.max and selection.take(index):
            reason = _beyond(policy) if extra else f"the oldest: {count(total, 'snapshot')}, max is {policy.max}"
            expiring.append(Expiry(snapshot=selection.ordered[index], goal="over max", reason=reason, extra=extra))
    return tuple(expiring)


def _for_coming(selection: Selection, policy: Retention, coming: Snapshot) -> tuple[Expiry, ...]:
    left = selection.left
    claim = Claim(field="sealed", value=left, why=f"{coming.name} was not made", relation="<=")
    # On a full day it makes one more extra, which counts for nothing: no other goes for it.
    beyond = selection.extra_with(coming) if left >= policy.max else []
    # Where more than `max` must stay already, one more is no reason to take another than those that may go.
    over = selection.counting_with(coming) > max(policy.max, selection.counting)
    for index in (*beyond, *(selection.first_to_go if over else ())):
        if selection.take(index):
            extra = index in beyond
            reason = f"the oldest: {count(left, 'snapshot')} and {coming.name}, max is {policy.max}"
            reason = _beyond(policy) if extra else reason
            snapshot = selection.ordered[index]
            return (Expiry(snapshot=snapshot, goal="over max", reason=reason, unless=claim, extra=extra),)
    return ()


def _beyond(policy: Retention) -> str:
    return f"an extra one of its day, beyond per_day = {policy.per_day}"


def _for_room(selection: Selection, policy: Retention, short: Sequence[Short]) -> tuple[Expiry, ...]:
    expiring: list[int] = []
    scarce: Short | None = None
    for index in selection.first_to_go:
        lacking = [
            lack for lack in short if surely_freed(selection.ordered, selection.gone, lack.resource) < lack.missing
        ]
        if not lacking:
            break
        if selection.take(index):
            expiring.append(index)
            scarce = max(lacking, key=lambda lack: lack.share)
    if scarce is None:
        return ()
    missing = ", ".join(f"{lack.text(lack.missing)} missing for {lack.claim.why}" for lack in short)
    return tuple(
        Expiry(
            snapshot=selection.ordered[index],
            goal=scarce.resource,
            reason=f"{_beyond(policy) if index in selection.extra else 'the oldest'}: {missing}",
            unless=scarce.claim,
            extra=index in selection.extra,
        )
        for index in expiring
    )


def _out_of_reach(selection: Selection, policy: Retention, short: Sequence[Short]) -> Doubt | None:
    """Doubt that expiring is the remedy, where all that may go cannot free what is missing."""
    for lack in short:
        most = freed_at_most(selection.ordered, selection.gone, lack.resource)
        if most is not None and most < lack.missing:
            may = count(len(selection.gone), "snapshot")
            return Doubt(
                text=f"{lack.claim.why} cannot be had: {lack.text(lack.missing)} missing, and the {may} that "
                f"may go would free {lack.text(most)} at most; in the way: {selection.obstacles()}, and whatever "
                "is on the disk that is no snapshot",
                do="see what else fills the disk and remove it, or take a larger disk; or ask for less room, "
                f"or for fewer than min = {policy.min} snapshots",
                fault=Fault.FULL,
            )
    return None


def _over_max(selection: Selection, policy: Retention) -> Doubt | None:
    if selection.counting <= policy.max:
        return None
    return Doubt(
        text=f"{count(selection.counting, 'snapshot')} are left, max is {policy.max}; "
        f"in the way: {selection.obstacles()}",
        do="unpin what need not stay, see why snapshots have exceptions: only those without count; and let a "
        "drill prove a newer one",
    )


def _protected(ordered: Sequence[Snapshot], now: datetime) -> dict[int, Protected]:
    """What may never go, by index, and why."""
    why: dict[int, Protected] = {}
    for index, snapshot in enumerate(ordered):
        if snapshot_time(snapshot.name) is None:
            why[index] = Protected(by=Protection.UNDATED)
        elif snapshot.being_read:
            why[index] = Protected(by=Protection.READ)
        elif snapshot.pinned_until is not None and snapshot.pinned_until.astimezone(UTC) > now:
            more = f" until {snapshot.pinned_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            more += f": {one_line(snapshot.pinned_why)}" if snapshot.pinned_why else ""
            why[index] = Protected(by=Protection.PINNED, more=more)
        elif snapshot.proven:
            why[index] = Protected(by=Protection.PROVEN)
        elif snapshot.recorded and snapshot.exceptions is None:
            why[index] = Protected(by=Protection.UNREAD)
    dated = [index for index, snapshot in enumerate(ordered) if snapshot_time(snapshot.name) is not None]
    clean = [index for index in dated if is_clean(ordered[index])]
    why.update({index: Protected(by=Protection.CLEAN) for index in clean[-1:]})
    why.update({index: Protected(by=Protection.NEWEST) for index in dated[-1:]})
    return why


def _why_kept(selection: Selection, index: int, policy: Retention, stands: Mapping[str, tuple[str, ...]]) -> str:
    periods = stands.get(selection.ordered[index].name, ())
    if index in selection.protected:
        return selection.protected[index].text
    if index in selection.held:
        return f"needed for min: {policy.min} without exceptions must stay"
    if index in selection.extra:
        return f"{_beyond(policy)}: among the first to go"
    if periods:
        return "stands for its " + ", ".join(periods)
    return f"within max: {policy.max}"


def _unmeasured(policy: Retention, space: Space | None) -> Doubt | None:
    if not (policy.free_space or policy.free_inodes) or (space and space.size):
        return None
    return Doubt(
        text="the free room was not measured, and some must stay free",
        do="see what the plan says about this store's host and disk",
    )


def _is_measured(snapshot: Snapshot) -> bool:
    return snapshot.freed_bytes is not None and snapshot.freed_inodes is not None


def _frozen(ordered: Sequence[Snapshot], *doubts: Doubt | None) -> Decision:
    first, *rest = (doubt for doubt in doubts if doubt)
    keep = _all_stay(ordered, "nothing expires now")
    return Decision(keep=keep, frozen=first.text, do=first.do, doubts=tuple(rest), cause=first)


def _all_stay(ordered: Sequence[Snapshot], reason: str) -> tuple[KeptSnapshot, ...]:
    return tuple(KeptSnapshot(snapshot=snapshot, reason=reason) for snapshot in ordered)
