"""What expiring frees, from what was measured once and from what was counted when snapshots were made: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from runner.agent.retention.counted import left_of, own_of
from runner.agent.store.contract.freed import Gain

A, B, C, D, E = NAMES = tuple(f"2026-11-2{day}T010000Z" for day in range(5))
Records = dict[str, Mapping[str, Any]]


def record(*left: tuple[str, str, int], mounts: Sequence[str] = ("/",), **other: object) -> dict[str, Any]:
    parts = [{"snapshot": name, "mount": mount, "bytes": size, "inodes": 1} for name, mount, size in left]
    return {"filesystems": [{"mount": mount} for mount in mounts], "left": parts, **other}


def chain(names: Sequence[str] = NAMES) -> Records:
    """Each made of the one before; the first has 10 bytes of its own, the next 20, and so on."""
    sizes = {name: 10 * number for number, name in enumerate(NAMES, start=1)}
    before = dict(zip(NAMES[1:], NAMES, strict=False))
    return {name: record(*([(before[name], "/", sizes[before[name]])] if name in before else [])) for name in names}


def sizes(records: Records) -> dict[str, int]:
    return {name: gain.bytes for name, gain in own_of(records).items()}


def test_the_next_one_tells_of_each_but_the_newest() -> None:
    assert sizes(chain()) == {A: 10, B: 20, C: 30, D: 40}
    assert sizes({}) == sizes({A: record()}) == {}


@pytest.mark.parametrize("gone", NAMES)
def test_of_the_one_before_a_gap_nobody_knows(gone: str) -> None:
    known = sizes(chain(tuple(name for name in NAMES if name != gone)))
    before = NAMES[NAMES.index(gone) - 1]
    assert known == {name: size for name, size in sizes(chain()).items() if name not in (gone, before)}


OTHERS: dict[str, tuple[Records, dict[str, int]]] = {
    "each filesystem by the one that was made of it": (
        {
            A: record(mounts=("/", "/home")),
            B: record((A, "/", 1)),
            C: record((B, "/", 2), (A, "/home", 4), mounts=("/", "/home")),
        },
        {A: 5, B: 2},
    ),
    "a filesystem that was sent whole": (
        {A: record(mounts=("/", "/home")), B: record((A, "/", 1), mounts=("/", "/home"))},
        {},
    ),
    "hosts that take turns": ({A: record(), B: record(), C: record((A, "/", 1)), D: record((B, "/", 2))}, {A: 1, B: 2}),
    "two were made of it": ({A: record(), B: record((A, "/", 1)), C: record((A, "/", 2))}, {}),
    "one later than itself": ({A: record((B, "/", 1)), B: record()}, {}),
    "files of an older one": ({**chain((A, B, C)), D: record((C, "/", 30), older=[B], shared=2)}, {A: 10}),
    "none of an older one after all": (
        {**chain((A, B, C)), D: record((C, "/", 30), older=[B], shared=0)},
        {A: 10, B: 20, C: 30},
    ),
    "an older agent's record, which does not say": ({**chain((A, B)), C: record((B, "/", 20), older=[A])}, {}),
    "a list of older ones that is none": ({**chain((A, B)), C: record((B, "/", 20), older="x", shared=1)}, {}),
    "a record of an older agent": ({A: record(), B: {"filesystems": [{"mount": "/"}]}}, {}),
    "a record that cannot be read": ({A: {}, B: record((A, "/", 1)), C: record((B, "/", 2))}, {B: 2}),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_the_records_say_and_what_not(case: str) -> None:
    records, known = OTHERS[case]
    assert sizes(records) == known


@pytest.mark.parametrize(
    "left", [None, 1, "x", [1], [{}], [{"snapshot": A, "mount": "/", "bytes": "1", "inodes": 1}],
             [{"snapshot": A, "mount": "/", "bytes": True, "inodes": 1}],
             [{"snapshot": A, "mount": "/", "bytes": 1, "inodes": -1}],
             [{"snapshot": A, "mount": "/", "bytes": 2**70, "inodes": 1}]],
)  # fmt: skip
def test_nothing_is_known_by_what_nobody_writes(left: object) -> None:
    assert sizes({A: record(), B: {**record(), "left": left}}) == {}


def saved(**other: object) -> dict[str, Any]:
    """The oldest three of five, as they were measured."""
    freed = [Gain(name, 100 * number, number)._asdict() for number, name in enumerate(NAMES[:3], start=1)]
    return {"chosen": NAMES[:3], "sealed": NAMES, "freed": freed, "in_runs": True, **other}


HOSTS: dict[str, Mapping[str, Any]] = {name: {"host": "papio"} for name in NAMES}


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ((), {A: 100, B: 200, C: 300}),
        ((A,), {B: 100, C: 200}),
        ((A, B), {C: 100}),
        ((D,), {A: 100, B: 200}),
        ((A, D), {B: 100}),
        ((C,), {A: 100}),
        ((B,), {}),
        ((C, D), {A: 100}),
        ((E,), {}),
    ],
)
def test_of_a_measurement_that_stays_true_which_nothing_that_went_touches(
    gone: tuple[str, ...], left: dict[str, int]
) -> None:
    now = {name: record for name, record in HOSTS.items() if name not in gone}
    assert {gain.name: gain.bytes for gain in left_of(saved(), now)} == left


def test_whose_it_was_nobody_knows_so_it_may_be_any_hosts() -> None:
    now = {name: {"host": "lemur" if name == B else "papio"} for name in (A, B, C, E)}
    assert [gain.name for gain in left_of(saved(), now)] == [A]


def test_where_files_may_skip_a_snapshot_only_the_order_of_age_is_safe() -> None:
    for doubtful in (saved(in_runs=False), {key: value for key, value in saved().items() if key != "in_runs"}):
        assert [gain.name for gain in left_of(doubtful, {name: HOSTS[name] for name in NAMES[1:]})] == [B, C]
        assert left_of(doubtful, {name: HOSTS[name] for name in (A, B, C, E)}) == []
