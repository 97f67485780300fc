"""What the power leaves of a store in the middle of any three verbs in a row, on ext3 and on ext4.

Of the writes that no flush had followed some are lost, all, or torn (`tests/powerdisk.py`). A few moments of one walk
here; every row of three with `make soak`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contract import life
from tests.contract.store.crash_walk import Verb, WalkedLife, Words, walks
from tests.contract.store.power_life import NotedHouse, wrong_after
from tests.powerdisk import Loss, powerdisk
from tests.soak import few

EXT3, EXT4 = (*life.EXT3, "-i", "4096"), ("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-I", "256", "-i", "4096")
# What a mount has by default.
DISKS = {"ext3": (EXT3, "noatime"), "ext4": (EXT4, "noatime"), "ext3 in any order": (EXT3, "noatime,data=writeback")}
LOSSES = (Loss.HALF, Loss.TORN, Loss.ALL, Loss.NONE)
# So long that a disk's log stays small.
LENGTH = 24
SHORT: Words = (Verb.BEGIN, Verb.RECYCLE, Verb.BEGIN, Verb.CLONE, Verb.COMPOSE, Verb.SEAL, Verb.REAP)
WHOLE = walks(LENGTH)
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="needs root and /dev/fuse for a disk that remembers"
    ),
]


def crashed(folder: Path, disk: str, walk: Words, each: int, every: int) -> list[str]:
    """What is wrong after `each` cuts in each verb of the walk, and one where it has answered."""
    make, options = DISKS[disk]
    with powerdisk(folder, 24, make, options) as remembering:
        source = life.small_tree(folder / "source", 6)
        house = NotedHouse(root=remembering.mount / "store", source=source, points=("/", "/folder"))
        subject = WalkedLife(disk=remembering, house=house)
        subject.settle_in()
        subject.go(walk)
    return list(wrong_after(subject, folder, cuts(subject, each), every))


def cuts(subject: WalkedLife, each: int) -> Sequence[tuple[int, Loss]]:
    """Where the power goes, and what goes with it."""
    places, chosen = [place for place, _ in subject.disk.events()], list[tuple[int, Loss]]()
    for moment in subject.moments[1:]:
        within = [place for place in places if moment.begin < place <= moment.end]
        some = within[:: max(1, len(within) // each)] if each else []
        chosen += [(place, LOSSES[(len(chosen) + number) % 4]) for number, place in enumerate(some)]
        chosen.append((moment.end, Loss.ALL))
    return chosen


@pytest.mark.parametrize("disk", few(("ext3", "ext4"), "ext4"))
def test_after_a_power_cut_all_that_is_sealed_is_whole_and_another_day_goes_on(tmp_path: Path, disk: str) -> None:
    assert crashed(tmp_path, disk, SHORT, each=1, every=6) == []


@pytest.mark.soak
@pytest.mark.parametrize("disk", DISKS)
@pytest.mark.parametrize("walk", range(len(WHOLE)))
def test_every_three_in_a_row(tmp_path: Path, disk: str, walk: int) -> None:
    assert crashed(tmp_path, disk, WHOLE[walk], each=4, every=9) == []


def test_every_three_in_a_row_are_in_the_walks() -> None:
    rows = {walk[at : at + 3] for walk in WHOLE for at in range(len(walk) - 2)}
    assert len(rows) > 200
    assert {
        (Verb.BEGIN, Verb.CLONE, Verb.COMPOSE),
        (Verb.SEAL, Verb.EXPIRE, Verb.REAP),
        (Verb.RECYCLE, Verb.BEGIN, Verb.EXPIRE),
    } <= rows
