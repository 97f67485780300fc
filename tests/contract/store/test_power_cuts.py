"""The power goes at any moment, and with it whatever was not flushed, in part or torn: what was promised is there.

As many cuts as fit into half a minute; all of them with `make soak` (PROPERTIES=deep).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.store.power_life import PowerLife, lived, wrong_after
from tests.powerdisk import Loss

# After each so many cuts another day is lived.
CUTS, EVERY = (100000, 12) if os.environ.get("PROPERTIES") == "deep" else (15, 20)
# Data in no order with its names: stricter than what mke2fs and the guide have.
STRICT = "noatime,data=writeback"
PLANTED = "import os\nfrom runner.agent import durable\n{}\n"
NO_SYNC = "durable.sync_filesystem = lambda path: None"
NO_FSYNC = "os.fsync = os.fdatasync = lambda descriptor: None"
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="needs root and /dev/fuse for a disk that remembers"
    ),
]


@pytest.fixture(scope="module")
def life_lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PowerLife]:
    with lived(tmp_path_factory.mktemp("power"), STRICT, PowerLife.live) as subject:
        yield subject


def cuts(subject: PowerLife, most: int) -> list[tuple[int, Loss]]:
    """Where the power goes and what is lost: whatever was promised a moment ago, and `most` others in between."""
    promises = [*(moment.end for moment in subject.moments), *(end for end, _ in subject.told)]
    places = [place for place, _ in subject.disk.events()]
    first = subject.moments[0].begin
    places = [place for place in places if place > first]
    between = places[:: max(1, len(places) // most)]
    losses = (Loss.TORN, Loss.HALF, Loss.ALL, Loss.NONE)
    chosen = [(place, losses[number % 4]) for number, place in enumerate(between)]
    if most >= len(places):
        chosen = [(place, loss) for place in places for loss in losses]
    return [*((place, Loss.ALL) for place in promises), *chosen]


def test_what_was_promised_outlives_a_power_cut_at_any_moment(life_lived: PowerLife, tmp_path: Path) -> None:
    chosen = cuts(life_lived, CUTS)
    assert len(chosen) > 35
    assert list(wrong_after(life_lived, tmp_path, chosen, every=EVERY)) == []


@pytest.mark.parametrize("fault", [NO_SYNC, NO_FSYNC], ids=["no syncfs", "no fsync"])
def test_a_planted_fault_is_seen(tmp_path: Path, fault: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(PLANTED.format(fault))
    repository = Path(__file__).parents[3]
    with lived(tmp_path, STRICT, PowerLife.begin_to_live, ("env", f"PYTHONPATH={tmp_path}:{repository}")) as subject:
        assert next(wrong_after(subject, tmp_path, cuts(subject, 1)), "")


def test_a_journal_that_does_not_sync_is_seen(tmp_path: Path) -> None:
    with lived(tmp_path, STRICT, PowerLife.begin_to_live, pragma="PRAGMA synchronous=OFF") as subject:
        assert any("not in the journal" in wrong for wrong in wrong_after(subject, tmp_path, cuts(subject, 1)))
