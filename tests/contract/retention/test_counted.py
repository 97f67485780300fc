"""What expiring frees, known without a look at any tree: the verbs that make snapshots have counted it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.contract.retention.test_expire import NAMES, expire, facts, ready, verb
from tests.contract.retention.test_freed import exact, grow, in_probe
from tests.contract.storehouse import Storehouse, copied

__all__ = ("ready",)


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


def require_known(house: Storehouse, *names: str) -> None:
    """Of these it is known what they free, and it is true."""
    assert in_probe(house) == (exact(house, *names) if names else {})


def test_of_all_but_the_newest_it_is_known_and_stays_true(house: Storehouse) -> None:
    assert not (house.root / ".runner/freed.json").exists()
    require_known(house, *NAMES[:-1])
    assert expire(house, NAMES[0]).code == 0
    require_known(house, *NAMES[1:-1])
    assert verb(house, "reap").code == 0
    require_known(house, *NAMES[1:-1])


def test_where_one_goes_out_of_order_it_is_known_again_once_it_is_measured(house: Storehouse) -> None:
    assert expire(house, NAMES[1]).code == 0
    require_known(house)
    assert verb(house, "freed", NAMES[0], "--save").code == 0
    require_known(house, NAMES[0], NAMES[2], NAMES[3])


def test_while_one_lies_aside_nothing_is_counted(house: Storehouse) -> None:
    assert verb(house, "set-aside", NAMES[2], "--min", "1").code == 0
    require_known(house)
    assert verb(house, "bring-back", NAMES[2]).code == 0
    require_known(house, *NAMES[:-1])


def test_a_snapshot_that_was_interrupted_takes_no_count_from_those_before_its_basis(house: Storehouse) -> None:
    later = "2026-11-25T010000Z"
    with house.held():
        assert house.begin(later, NAMES[4]).code == 0
        # What a clone that was cut off has may be of any snapshot.
        require_known(house)
        assert house.clone(later, NAMES[4]).code == 0
        require_known(house, *NAMES[:-1])
        begun = house.root / f".partial/{later}.json"
        known = json.loads(begun.read_text())
        for changes in ({"older": [NAMES[2]]}, {"cloned": {"/": {"basis": NAMES[2]}}}):
            begun.write_text(json.dumps({**known, **changes}))
            assert list(in_probe(house)) == list(NAMES[:2])
        for odd in ({"older": None}, {"cloned": {}}, {"cloned": ["/"]}, {"filesystems": 7}):
            begun.write_text(json.dumps({**known, **odd}))
            require_known(house)


def test_what_was_taken_out_while_the_next_was_made_is_no_count_any_more(house: Storehouse) -> None:
    assert verb(house, "set-aside", NAMES[4], "--min", "1").code == 0
    later = "2026-11-25T010000Z"
    (house.source / "day").write_text(later)
    assert house.snapshot(later, NAMES[3]).code == 0
    require_known(house)
    assert verb(house, "bring-back", NAMES[4]).code == 0
    # Two were made of it: what either lacks the other may have.
    require_known(house, *NAMES[:3])


@pytest.mark.parametrize("left", ["x", [1], [{"snapshot": NAMES[0], "mount": "/", "bytes": -1, "inodes": 1}]])
def test_a_count_that_nobody_wrote_is_none(house: Storehouse, left: object) -> None:
    path = house.root / f".runner/records/{NAMES[1]}.json"
    path.write_text(
        path.read_text().replace('"left"', '"was"', 1).rstrip()[:-1] + f', "left": {left!r}'.replace("'", '"') + "}"
    )
    require_known(house)
    assert [each["name"] for each in facts(house)["sealed"]] == list(NAMES)


def test_folders_that_no_filesystem_brought_count_too(tmp_path: Path) -> None:
    house = Storehouse(root=tmp_path / "store", source=tmp_path / "source", points=("/srv/one/deep", "/srv/two"))
    for point in house.points:
        (tmp_path / f"source{point}").mkdir(parents=True)
    for number, before in enumerate(("", *NAMES[:1])):
        for point in house.points:
            grow(tmp_path / f"source{point}", random.Random(number))
        assert house.snapshot(NAMES[number], before).code == 0
    require_known(house, NAMES[0])
