"""Files with holes: they take of the disk what they take, and nothing expires for their length."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import life
from tests.contract.site import Place

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
MIB = 1 << 20
# The case of 100 MiB of holes and 10 MiB of data a day on 224 MiB, a tenth of it.
HOLES, DATA, ROOM, DAYS = 10, 1, 24, 7


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A small disk, all of which but a twentieth may be used."""
    made = Place(folder=tmp_path / "site", trees=(tmp_path / "tree",))
    made.trees[0].mkdir()
    made.folder.mkdir()
    with life.disk(made, ROOM):
        life.policy(made, 'min = 2, max = 400, free_space = "5%"')
        yield made


def changed(place: Place, day: int) -> None:
    with (place.trees[0] / "holes").open("wb") as stream:
        stream.write(random.Random(day).randbytes(DATA * MIB))
        stream.truncate((HOLES + DATA) * MIB)


def test_days_of_holes_expire_nothing_while_there_is_room_and_the_report_says_what_they_took(place: Place) -> None:
    for day in range(DAYS):
        changed(place, day)
        before = life.free(place).bytes
        said = life.good(place, "run", "backup-papio").out
        took = before - life.free(place).bytes
        figure = re.search(r"([0-9.]+) ([KM])iB new in", said)
        assert figure, said
        assert abs(float(figure[1]) * (MIB if figure[2] == "M" else 1024) - took) < 0.3 * MIB, (figure[0], took)
    assert len(place.sealed) == DAYS
    record = place.record(place.sealed[-1])
    assert record["added_bytes"] == (HOLES + DATA) * MIB
    assert DATA * MIB <= record["added_room"] < 1.2 * DATA * MIB


@pytest.mark.soak
def test_lengths_in_the_records_of_an_older_runner_are_no_room_once_a_record_says_more(place: Place) -> None:
    for day in range(4):
        changed(place, day)
        life.good(place, "run", "backup-papio")
    for path in place.sealed[:-1]:
        record = {key: value for key, value in place.record(path).items() if key != "added_room"}
        place.record_path(path).write_text(json.dumps({**record, "added_bytes": 30 * MIB}))
    changed(place, 4)
    life.good(place, "run", "backup-papio")
    assert len(place.sealed) == 5
