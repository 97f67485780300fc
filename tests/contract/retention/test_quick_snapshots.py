"""Snapshots by name, one after the other, on one day: they expire no other day's, at the plan or at the disk."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.contract import life
from tests.contract.retention.test_expire import expire, verb
from tests.contract.site import Place
from tests.contract.storehouse import Storehouse

pytestmark = pytest.mark.long


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Four good snapshots of the last days, of which two at least and four at most are kept; all of today's on one day."""
    late = datetime.now(UTC) + timedelta(minutes=2)
    if late.date() != datetime.now(UTC).date():
        time.sleep(121)
    made = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    made.folder.mkdir()
    life.policy(made, "min = 2, max = 4", counting="")
    life.good(made, "run", "backup-papio")
    life.years(made, 4)
    return made


def quick(place: Place, times: int) -> list[str]:
    """The names of so many, of which some may be gone again: new ones were made of them."""
    made = []
    for number in range(times):
        (place.trees[0] / "day").write_text(f"junk {number}")
        life.good(place, "run", "backup-papio")
        made.append(place.sealed[-1].name)
    return made


def test_many_quick_snapshots_by_name_take_no_more_than_those_that_a_day_may_have(place: Place) -> None:
    old = [path.name for path in place.sealed]
    made = quick(place, 5)
    life.good(place, "run", "purge-papio")
    # One by schedule and two by hand count: the day's first two, and its last.
    assert [path.name for path in place.sealed] == [old[-1], *made[:2], made[-1]]
    assert "nothing to expire" in life.good(place, "run", "purge-papio").out


@pytest.mark.soak
def test_what_may_be_had_in_a_day_is_what_jobs_toml_says(place: Place) -> None:
    life.policy(place, "min = 2, max = 4", counting=", per_day = 2")
    old = [path.name for path in place.sealed]
    made = quick(place, 5)
    life.good(place, "run", "purge-papio")
    assert [path.name for path in place.sealed] == [*old[-2:], made[0], made[-1]]


def house_of(place: Place) -> Storehouse:
    return Storehouse(root=place.store, source=place.trees[0])


def test_the_disk_counts_a_day_by_itself_whatever_names_the_snapshots_have(place: Place) -> None:
    """Ten that were sealed today, under names of ten later days, hold no floor: not the ten, and not the old."""
    house, old = house_of(place), [path.name for path in place.sealed]
    begin = datetime.now(UTC)
    names = [f"{begin + timedelta(days=day):%Y-%m-%dT%H%M%SZ}" for day in range(10)]
    for before, name in zip((old[-1], *names), names, strict=False):
        assert house.snapshot(name, before).code == 0
    assert expire(house, old[0], 7, ("--per-day", "3")).code == 1
    assert expire(house, old[0], 6, ("--per-day", "3")).code == 0
    # An extra one of the day holds no floor, and so may go.
    assert expire(house, names[4], 6, ("--per-day", "3")).code == 0
    refused = expire(house, old[1], 6, ("--per-day", "3"))
    assert "there would be 5 snapshots without exceptions, at most 3 of a day" in refused.answer["error"]
    # Whoever does not say how many a day may count is told by the store.
    assert verb(house, "floor", "6", "--per-day", "3").code == 0
    for told in ((), ("--per-day", "100")):
        assert expire(house, old[1], 1, told).code == 1
    assert verb(house, "floor", "6", "--per-day", "100").code == 1
    assert json.loads((place.store / ".runner/floor.json").read_text())["per_day"] == 3


def test_where_no_record_says_when_it_was_sealed_the_name_does(place: Place) -> None:
    house, names = house_of(place), [path.name for path in place.sealed]
    for name in names:
        record = place.record(place.store / name)
        place.record_path(place.store / name).write_text(json.dumps({**record, "sealed": None}))
    assert expire(house, names[0], 4, ("--per-day", "1")).code == 1
    assert expire(house, names[0], 3, ("--per-day", "1")).code == 0
