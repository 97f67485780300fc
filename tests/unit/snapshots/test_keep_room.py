"""The last of a disk, which no transfer takes: how much that is, how often it is looked at, what is said of it."""

from __future__ import annotations

import os
from typing import Any

import pytest

from runner.agent.host.room import MIB, OFTEN, SELDOM, NotedEnd, Room, Seen, ended, last, pause
from runner.jobs.snapshots.report import no_room
from runner.model.run import JobReport, Outcome, State, Verdict
from tests.unit import parts

GIB, BLOCK = 1 << 30, 4096


def disk(size: int, inodes: int, *, free: int = 0, reserved: int = 0) -> os.statvfs_result:
    """A filesystem of `size` bytes, of whose `free` root alone may take `reserved`."""
    blocks, left = size // BLOCK, free // BLOCK
    return os.statvfs_result((BLOCK, BLOCK, blocks, left, left - reserved // BLOCK, inodes, inodes, inodes, 0, 255))


@pytest.mark.parametrize(
    ("about", "size", "inodes", "own", "shared"),
    [
        ("a usual disk", 40 * GIB, 2_000_000, Room(40 * GIB // 100, 10_000), Room(2 * GIB, 100_000)),
        ("a large one", 4000 * GIB, 10**9, Room(GIB, 10_000), Room(4 * GIB, 100_000)),
        ("a small one", 512 * MIB, 100_000, Room(512 * MIB // 100, 1000), Room(512 * MIB // 20, 5000)),
        ("a tiny one", 64 * MIB, 2048, Room(2 * MIB, 32), Room(64 * MIB // 20, 102)),
        ("hardly any", MIB, 64, Room(MIB // 20, 3), Room(MIB // 20, 3)),
        ("one that counts no inodes", 40 * GIB, 0, Room(40 * GIB // 100, 0), Room(2 * GIB, 0)),
        ("nothing", 0, 0, Room(0, 0), Room(0, 0)),
    ],
)
def test_the_last_of_a_disk(about: str, size: int, inodes: int, own: Room, shared: Room) -> None:
    assert last(disk(size, inodes), system=False) == own, about
    assert last(disk(size, inodes), system=True) == shared, about


def test_what_is_reserved_for_root_stays_for_it_where_the_system_is_and_nowhere_else() -> None:
    space = disk(40 * GIB, 0, free=10 * GIB, reserved=2 * GIB)
    assert last(space, system=True).bytes == 4 * GIB, "its users need some too"
    assert last(space, system=False).bytes == 40 * GIB // 100
    assert last(disk(40 * GIB, 0, free=GIB, reserved=GIB), system=True).bytes == 3 * GIB


@pytest.mark.parametrize(
    ("free", "left"),
    [
        (Room(10 * GIB, 5000), Room(9 * GIB - 64 * MIB, 5000 - 1125)),
        (Room(GIB + 64 * MIB, 5000), Room(0, 3875)),
        (Room(GIB + 64 * MIB - 1, 5000), None),
        (Room(10 * GIB, 1124), None),
    ],
)
def test_it_is_ended_a_little_before(free: Room, left: Room | None) -> None:
    assert Seen(free, Room(GIB, 1000)).left == left


def test_of_a_small_disk_a_little_is_more() -> None:
    assert Seen(Room(3 * MIB, 56), Room(2 * MIB, 40)).left == Room(0, 0)
    assert Seen(Room(3 * MIB - 1, 56), Room(2 * MIB, 40)).left is None
    assert Seen(Room(100, 0), Room(50, 0)).left == Room(0, 0), "one that counts no inodes"


@pytest.mark.parametrize(
    ("left", "seconds"),
    [
        (Room(100 * GIB, 0), SELDOM),
        (Room(100 * GIB, 10**9), SELDOM),
        (Room(400 * MIB, 10**9), 400 * MIB / (4 * GIB)),
        (Room(100 * GIB, 10_486), 10_486 / MIB),
        (Room(1, 0), OFTEN),
    ],
)
def test_the_less_is_left_the_sooner_it_is_looked_at_again(left: Room, seconds: float) -> None:
    assert pause(left) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("noted", "end"),
    [
        ({"full": True, "free": {"bytes": 1, "inodes": 2}, "sent": {"bytes": 3, "inodes": 4}}, (True, (1, 2), (3, 4))),
        ({"full": True, "free": None, "seen": {"bytes": 1, "inodes": 2}}, (True, None, None, (1, 2))),
        ({"full": True, "seen": {"bytes": 1, "inodes": None}}, (True, None, None, None)),
        ({"full": False, "free": {"bytes": -1, "inodes": 2}, "sent": None}, (False, None, None)),
        ({"full": True, "free": {"bytes": True, "inodes": 2}, "sent": {"bytes": 1 << 63}}, (True, None, None)),
        ({"full": "yes", "free": {"bytes": 1, "inodes": 2}}, (None, None, None)),
        ({}, (None, None, None)),
        (["full"], (None, None, None)),
        (None, (None, None, None)),
    ],
)
def test_a_note_that_nobody_wrote_so_is_none(noted: Any, end: tuple[Any, ...]) -> None:
    assert ended({"ended": noted}) == NotedEnd(*end)
    assert ended({}) == NotedEnd(None, None, None)


STOPPED = JobReport(job="a", verdict=Verdict.FAILED, headline="interrupted at send-1: Broken pipe", details=("x",))
THERE = {"free_bytes": 5 * GIB, "free_inodes": 9000, "last_bytes": 4 * GIB, "last_inodes": 1000}
SAID = {"error": "no space left", "do": "", "again": True, "cause": "full"}


@pytest.mark.parametrize(
    ("about", "answer", "state", "headline"),
    [
        ("a disk of its own", {**THERE, **SAID}, State.FAILED,
         "no space left for store papio on server: 5.0 GiB free, and the last 4.0 GiB stay free for the disk itself; "
         "what was sent is kept"),
        ("the system's", {**THERE, **SAID, "system": "/", "sent": GIB}, State.FAILED,
         "no space left for store papio on server: 5.0 GiB free, and the last 4.0 GiB stay free for its system, which is "
         "on the same filesystem (/); what was sent (about 1.0 GiB) is kept"),
        ("inodes", {**THERE, **SAID, "free_inodes": 1100}, State.FAILED,
         "no space left for store papio on server: 5.0 GiB and 1,100 inodes free, and the last 4.0 GiB and 1,000 inodes "
         "stay free for the disk itself; what was sent is kept"),
        ("inodes, of which some came back", {**THERE, **SAID, "free_bytes": 124 * GIB, "free_inodes": 1400}, State.FAILED,
         "no space left for store papio on server: 124.0 GiB and 1,400 inodes free, and the last 4.0 GiB and 1,000 inodes "
         "stay free for the disk itself; what was sent is kept"),
        ("there was room", THERE, State.DONE, STOPPED.headline),
        ("an answer that cannot be read", {**SAID, "free_bytes": "5"}, State.FAILED, STOPPED.headline),
        ("it could not be asked", {"error": "cannot be reached"}, State.FAILED, STOPPED.headline),
        ("it was not asked", {}, State.NOT_NEEDED, STOPPED.headline),
    ],
)  # fmt: skip
def test_the_report_says_what_a_transfer_really_stopped_of(
    about: str, answer: dict[str, Any], state: State, headline: str
) -> None:
    room = Outcome(step="a/room", **parts.role("a/room"), job="a", state=state, result=answer)
    report = no_room(STOPPED, (room,), "no space left for store papio on server", "store/papio/full")
    assert (report.headline, report.verdict) == (headline, Verdict.FAILED), about
    assert report.details == (("x",) if headline == STOPPED.headline else ()), about
    assert report.cause == ("store/papio/full" if headline != STOPPED.headline else ""), about
