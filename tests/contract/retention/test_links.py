"""`links`: the largest group of names, and whether it fits into as many snapshots as are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.contract.storehouse import Storehouse

FIRST, SECOND = "2026-11-20T010000Z", "2026-11-21T010000Z"


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    made = Storehouse(root=tmp_path / "store", source=tmp_path / "source")
    made.source.mkdir()
    (made.source / "alone").write_text("one name")
    (made.source / "many").write_text("many names")
    for number in range(29):
        os.link(made.source / "many", made.source / f"name {number}")
    assert made.snapshot(FIRST).code == 0
    assert made.snapshot(SECOND, FIRST).code == 0
    return made


@pytest.mark.parametrize("kept", [400, 3000])
def test_the_largest_group_is_counted_within_a_snapshot(house: Storehouse, kept: int) -> None:
    groups = house.call("links", str(house.root), "--max", str(kept)).answer
    limit = os.pathconf(house.root, "PC_LINK_MAX")
    assert (groups["largest_group"], groups["most"], groups["limit"]) == (30, 60, limit)
    assert groups["fits"] is (30 * kept < limit)
    assert Path(groups["path"]).name.startswith(("many", "name "))


def test_a_store_without_a_snapshot_has_no_group(tmp_path: Path) -> None:
    groups = Storehouse(root=tmp_path, source=tmp_path).call("links", str(tmp_path)).answer
    assert (groups["largest_group"], groups["fits"]) == (0, True)
