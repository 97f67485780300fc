"""What a snapshot alone has, as it was counted while the next one was made: what the disk says it is."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.agent.compose.leaving import Leaving, gone_names
from runner.agent.retention.counted import own_of
from runner.agent.snapshots.sums import zipped
from runner.agent.store.freed import FreedCounter
from tests.contract.compose.clone_parts import clone, inodes
from tests.contract.compose.histories import Deed, deeds, do
from tests.contract.compose.test_compose import root_only
from tests.contract.compose.world import World, compose_tree, joined, listed, made, seal_basis, send

DAYS = 5
NAMES = tuple(f"2026-12-{day:02d}T010000Z" for day in range(1, DAYS + 1))
history = st.lists(deeds, max_size=8)


def next_day(world: World, day: int, older: Sequence[str], shuffled: int) -> dict[str, Any]:
    """Make the snapshot of that day of the one before, sharing with the older ones too; its record."""
    basis = world.house.root / NAMES[day - 1]
    names = listed(basis, world.source)
    random.Random(shuffled).shuffle(names)
    work = clone(basis, world.place)
    world.incoming.mkdir(parents=True)
    send(world.source, world.incoming, joined(names), basis)
    told = world.house.root / "gone.gz"
    with told.open("wb") as stream, zipped(stream, 1) as file:
        composed = compose_tree(world, names, share=older, leaving=Leaving(work.groups or {}, file, b"srv"))
    world.place.rename(world.house.root / NAMES[day])
    require_named(told, basis, world.house.root / NAMES[day])
    shutil.rmtree(world.incoming)
    room = (work.room.bytes + composed.left.bytes, work.room.inodes + composed.left.inodes)
    left = {"snapshot": NAMES[day - 1], "mount": "/", "bytes": room[0], "inodes": room[1]}
    return {
        "filesystems": [{"mount": "/"}], "left": [] if composed.shared else [left],
        "older": [each for each in older], "shared": composed.shared,
    }  # fmt: skip


def require_named(told: Path, basis: Path, place: Path) -> None:
    """Those that are told to be gone are what the basis has and the new one has not, or has of another inode."""
    gone, there, now = gone_names(told), inodes(basis), inodes(place)
    assert gone is not None
    assert gone.among(b"srv/" + name for name in there) == {
        b"srv/" + name for name, inode in there.items() if now.get(name) != inode
    }


def gained(world: World, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """What the disk gains by each when all before it have gone, by the link counts of all that is there."""
    counter, totals = FreedCounter(), [(0, 0)]
    for each in names:
        counter.walk(world.house.root / each)
        totals.append((counter.bytes, counter.inodes))
    gains = [(now[0] - before[0], now[1] - before[1]) for before, now in pairwise(totals)]
    return dict(zip(names, gains, strict=True))


def require_true(world: World, records: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """What is counted is what the disk says; which were counted."""
    own, gains = own_of(records), gained(world, list(records))
    assert {name: (gain.bytes, gain.inodes) for name, gain in own.items()} == {name: gains[name] for name in own}
    return set(own)


@root_only
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(first=st.lists(deeds, min_size=5, max_size=20), days=st.tuples(*[history] * (DAYS - 1)),
       gone=st.integers(0, DAYS - 2), shuffled=st.integers(0, 99), comes_back=st.booleans())  # fmt: skip
def test_what_is_counted_is_what_the_disk_gains(
    first: list[Deed], days: Sequence[list[Deed]], gone: int, shuffled: int, *, comes_back: bool
) -> None:
    with tempfile.TemporaryDirectory(prefix="leaving-") as place:
        world = made(Path(place))
        do(os.fsencode(world.source), first)
        seal_basis(world)
        world.basis.rename(world.house.root / NAMES[0])
        records: dict[str, dict[str, Any]] = {NAMES[0]: {"filesystems": [{"mount": "/"}]}}
        for day, deeds_of_day in enumerate(days, start=1):
            do(os.fsencode(world.source), deeds_of_day)
            older = NAMES[max(0, day - 3) : day - 1] if comes_back else ()
            records[NAMES[day]] = next_day(world, day, older[::-1], shuffled)
        counted = require_true(world, records)
        assert comes_back or counted == set(NAMES[:-1])
        # One goes: of the one before it nobody knows any more; of all others the same is true as before.
        shutil.rmtree(world.house.root / NAMES[gone])
        records.pop(NAMES[gone])
        assert require_true(world, records) >= counted - {NAMES[gone], NAMES[gone - 1]}
