"""A store that has grown to its 400 snapshots on a real ext3, and the days after that."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compare import differences
from tests.contract import life
from tests.contract.site import Place

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """399 snapshots of a small tree, one a day until yesterday."""
    made = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    made.folder.mkdir()
    with life.disk(made, 96):
        life.policy(made, "min = 30, max = 400")
        life.good(made, "run", "backup-papio")
        life.years(made, 399)
        yield made


def test_of_401_snapshots_exactly_the_oldest_goes_and_frees_what_was_foretold(place: Place) -> None:
    names = [one.name for one in place.sealed]
    life.good(place, "run", "backup-papio")
    assert len(place.sealed) == 400
    assert "nothing to expire: 400 snapshots" in life.good(place, "run", "purge-papio").out
    (place.trees[0] / "day").write_text("the 401st day")
    life.good(place, "run", "backup-papio")
    assert differences(place.trees[0], place.copy_of(place.trees[0])) == []
    last = [one.name for one in place.sealed]
    assert len(last) == 401

    before, others = life.free(place), life.whole(place)
    plan = place.runner("plan", "purge-papio", "--json").json
    assert [step["id"] for step in plan["steps"] if "/expire" in step["id"]] == ["purge-papio/expire-1"]
    print(plan)
    life.good(place, "run", "purge-papio")
    after = life.free(place)
    assert [one.name for one in place.sealed] == last[1:]
    assert last[0] == names[0]
    del others[names[0]]
    assert life.whole(place) == others
    assert list((place.store / ".trash").iterdir()) == []
    assert life.audited(place)["findings"] == []
    print(before, after)
