"""Days of a store, sixty in `make soak`, with all that is lawful in them: nothing is found, whichever day is asked."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.contract.history.chains import events, findings, head
from tests.contract.retention.test_expire import expire, names, verb
from tests.contract.storehouse import Storehouse, frame
from tests.soak import few

AUDIT = ("audit", "--every", "3", "--bytes", "1000000000", "--seconds", "60")
KEPT = 6

pytestmark = pytest.mark.long


def name_of(day: int) -> str:
    return f"{datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day):%Y-%m-%dT%H%M%SZ}"


def recycled(house: Storehouse, name: str, oldest: str, basis: str) -> None:
    """As `snapshot`, made of the oldest one's tree."""
    with house.held():
        assert house.begin(name, basis).code == 0
        assert house.clone(name, basis, "--recycle", oldest, "--min", "1").code == 0
        listed = house.listed(name, basis)
        sent, again = house.send_listed(name, basis, listed), house.send_again(name, listed)
        settled = house.settle(name, listed)
        assert {sent.code, again.code, settled.code} == {0}
        composed = house.compose(name, frame("settle", settled) + frame("list", listed))
        assert composed.code == 0, composed
        made = frame("send", again) + frame("settle", settled) + frame("first", sent)
        said = house.seal(name, made)
        assert said.code == 0 and said.answer["head"] == head(house), said


@pytest.mark.parametrize("days", few([14, 60], 14))
def test_a_lawful_life_is_found_to_be_one(tmp_path: Path, days: int) -> None:
    source, dice = tmp_path / "source", random.Random(13)
    source.mkdir()
    house = Storehouse(root=tmp_path / "store", source=source)
    heads = []
    for day in range(days):
        for number in range(3):
            (source / f"file{dice.randrange(12)}").write_text(f"{day} {number}")
        there = names(house) if day else []
        if len(there) > KEPT and day % 3 == 0:
            recycled(house, name_of(day), there[0], there[-1])
        else:
            assert house.snapshot(name_of(day), there[-1] if there else "").code == 0
            for oldest in there[: max(0, len(there) - KEPT)] if day % 3 == 1 else ():
                assert expire(house, oldest).code == 0
        if day % 7 == 5:
            # A list that is lost owes its checksums, and one expires out of order.
            assert verb(house, "set-aside", names(house)[1], "--min", "1").code == 0
            aside = events(house)[-1][1]
            assert verb(house, *(("bring-back", aside) if day % 2 else ("drop-aside", aside))).code == 0
        if day % 2:
            assert verb(house, *AUDIT).code == 0
        if day % 5 == 0:
            assert verb(house, "reap").code == 0
        heads.append(head(house))
        if day % 10 == 9:
            assert findings(house, heads[-10]) == []
    assert {event for event, _ in events(house)} == {
        "begun", "sealed", "manifest", "inherited", "expired", "aside", "back", "dropped"
    }  # fmt: skip
    for known in heads[::6]:
        assert findings(house, known) == []
    record = json.loads((house.root / f".runner/records/{names(house)[-1]}.json").read_bytes())
    assert record["before"] and record["chain"]
