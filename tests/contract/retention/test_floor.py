"""The floor of a store: raised from afar, lowered only by a person, and counted by the disk itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.retention.test_expire import NAMES, expire, ready, verb
from tests.contract.storehouse import Storehouse, copied

__all__ = ["ready"]


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


def test_of_a_job_and_day_no_more_count_than_the_stricter_says(house: Storehouse) -> None:
    """All five were sealed on one day."""
    assert verb(house, "floor", "2", "--per-day", "2").code == 0
    for told, code in ((("--per-day", "1"), 1), (("--per-day", "9"), 0), ((), 0)):
        oldest = min(path.name for path in house.root.glob("2*"))
        assert expire(house, oldest, 2, told).code == code
    # Another job counts for itself, whatever the day.
    path = house.root / f".runner/records/{NAMES[3]}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "job": "another"}))
    assert verb(house, "floor", "2", "--per-day", "1", "--lower").code == 0
    assert expire(house, NAMES[2], 2).code == 0
    assert expire(house, NAMES[3], 2).code == 1


def test_the_disk_takes_the_stricter_of_what_it_is_told_and_what_it_knows_and_writes_only_what_is_new(
    house: Storehouse,
) -> None:
    path = house.root / ".runner/floor.json"
    assert verb(house, "floor", "3").code == 0
    assert json.loads(path.read_text()).keys() == {"min", "since"}
    assert verb(house, "floor", "3", "--per-day", "2").answer == {"floor": 3, "before": 3, "per_day": 2}
    before = path.read_bytes()
    # Whoever names no number of a day means the one that is kept.
    assert verb(house, "floor", "3").answer == {"floor": 3, "before": 3, "per_day": 2}
    assert verb(house, "floor", "3", "--per-day", "2").code == 0
    told = "this store's floor is 3 snapshots, 2 of a day and is not lowered from afar"
    for lower in (("2",), ("3", "--per-day", "3")):
        assert verb(house, "floor", *lower).answer["error"] == told
    assert path.read_bytes() == before
    assert verb(house, "floor", "4", "--per-day", "1").code == 0
    assert verb(house, "floor", "3", "--per-day", "2", "--lower").answer == {"floor": 3, "before": 4, "per_day": 2}


def test_a_floor_of_nothing_is_one_and_lets_go_whatever_the_plan_does(house: Storehouse) -> None:
    (house.root / ".runner/floor.json").write_text('{"min": 0, "per_day": 0}')
    assert expire(house, NAMES[0], 4).code == 0
    error = f"without {NAMES[1]} there would be 3 snapshots without exceptions, and the floor is 4"
    assert expire(house, NAMES[1], 4).answer["error"] == error
    assert verb(house, "floor", "3").answer == {"floor": 3, "before": 0, "per_day": 0}
    error = "this store's floor is 3 snapshots and is not lowered from afar"
    assert verb(house, "floor", "2").answer["error"] == error
    (house.root / ".runner/floor.json").write_text('{"min": -1}')
    assert "cannot be understood" in expire(house, NAMES[1], 1).answer["error"]
