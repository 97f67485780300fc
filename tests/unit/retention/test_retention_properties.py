"""What holds for every decision, over random stores whose every inode is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from runner.jobs.retention.retention import Decision, decide
from runner.model.facts import Snapshot, Space
from runner.model.names import snapshot_name, snapshot_time
from runner.model.site import Amount, Retention, Thin

# Through both nights on which New York's clocks change.
START = datetime(2026, 3, 7, 23, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GAPS = [timedelta(seconds=1), HOUR, 6 * HOUR, DAY, DAY, DAY, 8 * DAY, 40 * DAY]
ZONES = [ZoneInfo(name) for name in ("America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati")]
PERIODS = {"daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m", "yearly": "%Y"}
SIZE = 1000


@dataclass(frozen=True, kw_only=True)
class World:
    """A store: what each inode is reachable from (indices of snapshots) and takes, and the rest."""

    sealed: tuple[Snapshot, ...]
    inodes: tuple[tuple[frozenset[int], int], ...]
    policy: Retention
    space: Space
    now: datetime

    def decide(self) -> Decision:
        return decide(self.sealed, self.policy, self.space, self.now)

    def after(self, gone: Iterable[Snapshot]) -> Space:
        """What statvfs says once these are expired and removed."""
        places = {place for place, one in enumerate(self.sealed) if one in set(gone)}
        freed = [size for where, size in self.inodes if where <= places]
        return replace(self.space, free=self.space.free + sum(freed), inodes_free=self.space.inodes_free + len(freed))

    def has_room(self, space: Space) -> bool:
        enough = [
            not least or not whole or part >= (least.bytes if least.percent is None else whole * least.percent / 100)
            for least, part, whole in (
                (self.policy.free_space, space.free, space.size),
                (self.policy.free_inodes, space.inodes_free, space.inodes),
            )
        ]
        return all(enough)

    def untouchable(self) -> set[str]:
        counting = [one.name for one in self.sealed if counts(one)]
        pinned = [one.name for one in self.sealed if one.pinned_until and one.pinned_until > self.now]
        read = [one.name for one in self.sealed if one.being_read]
        return {one.name for one in self.sealed[-1:]} | {*counting[-1:], *pinned, *read}

    def all_that_may_go(self) -> list[Snapshot]:
        """Oldest first, as long as enough stay that count."""
        left, gone = clean(self.sealed), []
        for one in self.sealed:
            if one.name not in self.untouchable() and left - counts(one) >= self.policy.min:
                left -= counts(one)
                gone.append(one)
        return gone


def counts(one: Snapshot) -> bool:
    return one.recorded and not one.exceptions


def clean(snapshots: Iterable[Snapshot]) -> int:
    return sum(map(counts, snapshots))


def kept(decision: Decision) -> list[Snapshot]:
    return [one.snapshot for one in decision.keep]


def gone(decision: Decision) -> list[Snapshot]:
    return [one.snapshot for one in decision.expire]


def nothing_more_may_go(world: World, decision: Decision) -> bool:
    left = clean(kept(decision))
    return all(one.name in world.untouchable() or left - counts(one) < world.policy.min for one in kept(decision))


PLAIN = st.fixed_dictionaries({"exceptions": st.sampled_from([0, 0, 0, 2])})
ODD = st.fixed_dictionaries(
    {
        "exceptions": st.sampled_from([0, 0, 1]),
        "recorded": st.sampled_from([True, True, True, False]),
        "being_read": st.sampled_from([False, False, False, True]),
        "pinned_until": st.sampled_from([None, None, START, START + 3000 * DAY]),
        "files": st.sampled_from([None, 1000, 1000, 1000, 1000, 800, 600]),
        "host": st.sampled_from(["papio", "papio", "other"]),
    }
)
PERCENT = st.one_of(st.none(), st.sampled_from([1.0, 5.0, 12.5, 50.0]).map(lambda one: Amount(percent=one)))
THIN = st.builds(Thin, period=st.sampled_from(sorted(PERIODS)), count=st.sampled_from([None, 1, 2, 3, 7]))


@st.composite
def worlds(
    draw: st.DrawFn, about: st.SearchStrategy[dict[str, object]] = ODD, measured: bool = True, least: int = 0
) -> World:
    gaps = draw(st.lists(st.sampled_from(GAPS), min_size=least, max_size=10))
    times = [START + sum(gaps[: place + 1], timedelta()) for place in range(len(gaps))]
    sealed = [Snapshot(name=snapshot_name(time), **draw(about)) for time in times]  # type: ignore[arg-type]
    inodes: list[tuple[frozenset[int], int]] = []
    if sealed:
        where = st.frozensets(st.integers(0, len(sealed) - 1), min_size=1, max_size=4)
        inodes = draw(st.lists(st.tuples(where, st.integers(0, 90)), max_size=20))
    if measured:
        sealed = [replace(one, **foretold(inodes, place)) for place, one in enumerate(sealed)]
    room = st.one_of(PERCENT, st.integers(1, SIZE).map(lambda one: Amount(bytes=one)))
    policy = Retention(
        min=draw(st.integers(0, 6)), max=draw(st.integers(1, 10)), free_space=draw(room),
        free_inodes=draw(PERCENT), thin=tuple(draw(st.lists(THIN, max_size=3))),
    )  # fmt: skip
    space = Space(
        size=SIZE, free=draw(st.integers(0, SIZE)),
        inodes=draw(st.sampled_from([200, 200, 0])), inodes_free=draw(st.integers(0, 60)),
    )  # fmt: skip
    since = draw(st.sampled_from([-DAY, timedelta(), HOUR, HOUR, DAY, DAY, 20 * DAY, 900 * DAY]))
    now = (times[-1] if times else START) + since
    return World(sealed=tuple(sealed), inodes=tuple(inodes), policy=policy, space=space, now=now)


@st.composite
def full(draw: st.DrawFn, about: st.SearchStrategy[dict[str, object]] = ODD, measured: bool = True) -> World:
    """A world that has a number of snapshots, a clock that is right, and too little room, or nearly."""
    world = draw(worlds(about, measured, 5))
    freed = foretold(list(world.inodes), draw(st.integers(0, len(world.sealed) - 2)))
    some = Amount(bytes=world.space.free + draw(st.integers(1, freed["freed_bytes"] + 1)))
    names = Amount(bytes=world.space.inodes_free + draw(st.integers(0, freed["freed_inodes"])))
    policy = replace(
        world.policy, min=draw(st.sampled_from([0, 1, 1, 3])), max=draw(st.sampled_from([2, 4, 99, 99, 99])),
        free_space=draw(st.sampled_from([some, some, some, None])), free_inodes=draw(st.sampled_from([names, None])),
        thin=draw(st.sampled_from([(), (), world.policy.thin])),
    )  # fmt: skip
    newest = snapshot_time(world.sealed[-1].name)
    assert newest is not None
    return replace(world, policy=policy, now=newest + HOUR, space=replace(world.space, size=10 * SIZE))


def foretold(inodes: list[tuple[frozenset[int], int]], place: int) -> dict[str, int]:
    freed = [size for where, size in inodes if max(where) <= place]
    return {"freed_bytes": sum(freed), "freed_inodes": len(freed)}


ANY = worlds() | full()


def without_room(world: World) -> World:
    return replace(world, policy=replace(world.policy, free_space=None, free_inodes=None))


@given(ANY, st.randoms(use_true_random=False), st.sampled_from(ZONES))
def test_the_answer_is_the_same_in_any_order_in_any_zone_and_twice(world: World, random, zone) -> None:  # type: ignore[no-untyped-def]
    shuffled = [
        replace(one, pinned_until=one.pinned_until and one.pinned_until.astimezone(zone)) for one in world.sealed
    ]
    random.shuffle(shuffled)
    again = decide(shuffled, world.policy, world.space, world.now.astimezone(zone))
    assert again == world.decide() == world.decide()


@given(ANY)
def test_every_snapshot_stays_or_goes_and_some_never_go(world: World) -> None:
    decision = world.decide()
    names = [one.name for one in [*kept(decision), *gone(decision)]]
    assert sorted(names) == [one.name for one in world.sealed]
    assert len(set(names)) == len(names)
    assert not world.untouchable() & {one.name for one in gone(decision)}
    assert [one.name for one in kept(decision)] == sorted(one.name for one in kept(decision))
    assert all(one.reason for one in [*decision.keep, *decision.expire])


@given(ANY | full(measured=False))
def test_after_every_single_step_there_are_at_least_min_without_exceptions(world: World) -> None:
    left = set(world.sealed)
    for one in gone(world.decide()):
        left.remove(one)
        assert clean(left) >= world.policy.min


@given(ANY)
def test_what_is_frozen_loses_nothing(world: World) -> None:
    decision = world.decide()
    event(f"frozen: {bool(decision.frozen)}, goes: {bool(decision.expire)}")
    if decision.frozen:
        assert decision.expire == ()
        assert decision.do
    times = [time for one in world.sealed if (time := snapshot_time(one.name))]
    if times and world.now < times[-1] - timedelta(minutes=5):
        assert decision.frozen


@given(worlds(PLAIN))
def test_a_clock_far_ahead_thins_nothing_and_ends_no_pin(world: World) -> None:
    assume(len(world.sealed) > 1)
    newest = snapshot_time(world.sealed[-1].name)
    assert newest is not None
    pinned = replace(world.sealed[0], pinned_until=newest + DAY)
    ahead = replace(world, sealed=(pinned, *world.sealed[1:]), now=newest + 900 * DAY)
    decision = ahead.decide()
    assert all(one.goal != "thinned" and one.snapshot != pinned for one in decision.expire)
    assert decision.doubts


@given(ANY)
def test_nothing_older_that_may_go_is_left_when_a_newer_goes_for_max_or_room(world: World) -> None:
    decision = world.decide()
    for one in decision.expire:
        if one.goal == "thinned":
            continue
        for other in kept(decision):
            if other.name < one.snapshot.name and other.name not in world.untouchable():
                assert counts(other)
                assert clean(kept(decision)) == world.policy.min


@given(ANY)
def test_max_is_kept_unless_nothing_more_may_go(world: World) -> None:
    world = without_room(world)
    decision = world.decide()
    assume(not decision.frozen)
    if len(decision.keep) > world.policy.max:
        assert decision.doubts
        assert nothing_more_may_go(world, decision)
    if not any(one.goal == "thinned" for one in decision.expire):
        assert len(decision.keep) >= min(world.policy.max, len(world.sealed))


@given(ANY)
def test_deciding_again_after_it_was_done_expires_nothing_more(world: World) -> None:
    world = without_room(world)
    decision = world.decide()
    # What is left after `max` may be so far apart that a clock is no longer in doubt, and thinning goes on.
    assume(not decision.doubts)
    assert replace(world, sealed=tuple(kept(decision))).decide().expire == ()


@given(ANY)
def test_thinning_leaves_every_period_it_promises_and_nothing_else(world: World) -> None:
    world = without_room(replace(world, policy=replace(world.policy, max=100)))
    decision = world.decide()
    stay = {one.name for one in kept(decision)}
    promised: set[str] = set()
    for rule in world.policy.thin:
        by_period: dict[str, list[Snapshot]] = {}
        for one in world.sealed:
            time = snapshot_time(one.name)
            assert time is not None
            by_period.setdefault(time.strftime(PERIODS[rule.period]), []).append(one)
        latest = list(by_period.values())[-rule.count if rule.count else 0 :]
        promised |= {([one for one in same if counts(one)] or same)[-1].name for same in latest}
    assert promised <= stay
    if not decision.expire:
        return
    for one in kept(decision):
        blocked = clean(kept(decision)) - counts(one) < world.policy.min
        assert one.name in promised | world.untouchable() or blocked


@given(full(PLAIN) | full())
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_what_goes_for_room_reaches_it_with_just_as_many_as_it_takes(world: World) -> None:
    decision = world.decide()
    for_room = [one for one in decision.expire if one.unless]
    assume(for_room)
    places = sorted(world.sealed.index(one) for one in gone(decision))
    unbroken = places == list(range(len(places)))
    event(f"unbroken: {unbroken}")
    if unbroken:
        assert world.has_room(world.after(gone(decision)))
        # What thinning takes out of the middle may free more than can be known beforehand.
        if not any(one.goal == "thinned" for one in decision.expire):
            assert not world.has_room(world.after(gone(decision)[:-1]))
    else:
        assert nothing_more_may_go(world, decision) or world.has_room(world.after(gone(decision)))


@given(worlds(PLAIN) | full())
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_it_says_out_of_reach_only_where_even_all_would_not_do(world: World) -> None:
    decision = world.decide()
    assume("cannot be had" in decision.frozen)
    assert not world.has_room(world.after(world.all_that_may_go()))


@given(worlds(measured=False))
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_nothing_goes_for_room_where_there_is_enough(world: World) -> None:
    assume(world.has_room(world.space))
    assert all(one.unless is None for one in world.decide().expire)


@given(full(PLAIN, measured=False))
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_unmeasured_candidates_reach_down_to_min_and_name_what_to_measure(world: World) -> None:
    decision = world.decide()
    for_room = [one.snapshot.name for one in decision.expire if one.unless]
    assume(for_room)
    assert list(decision.unmeasured) == for_room
    assert nothing_more_may_go(world, decision)


@given(worlds())
def test_without_a_policy_nothing_goes(world: World) -> None:
    decision = decide(world.sealed, None, None, world.now)
    assert (decision.expire, decision.frozen) == ((), "")
