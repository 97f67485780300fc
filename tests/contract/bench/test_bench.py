"""The thresholds of `make bench` that a busy machine cannot break: start-up, memory, faithful copies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bench.compare import Contest, compare
from tests.bench.figures import Claim, Compared, Ratio, claims, ratio
from tests.bench.measure import Cost
from tests.bench.startup import start_up

QUICK = Contest(
    files=1000, days=1, names=("rsync", "runner"), disks=False, count_calls=False, cold=False
)  # fmt: skip


def broken(found: tuple[Claim, ...]) -> list[str]:
    return [f"{claim.text}: {claim.found:.3g}, at most {claim.most:.3g}" for claim in found if not claim.holds]


@pytest.mark.alone
def test_the_first_word_comes_soon(tmp_path: Path) -> None:
    found = claims((), start_up(tmp_path))
    assert len(found) == 2
    assert broken(found) == []


@pytest.mark.skipif(not shutil.which("rsync"), reason="needs rsync")
def test_a_snapshot_takes_little_memory_and_is_right(tmp_path: Path) -> None:
    said: list[str] = []
    compared = compare(QUICK, tmp_path, said.append)
    found = claims((compared,), {})
    assert {claim.text.split(",")[0] for claim in found} == {
        "peak memory of runner", "peak memory of runner-agent", "names that are wrong",
    }  # fmt: skip
    assert broken(found) == []
    assert any("day 1: runner" in line for line in said)
    assert not (tmp_path / "runner").exists()


def test_a_program_that_was_never_seen_does_not_pass_for_a_small_one() -> None:
    cost = Cost(wall=1.0, cpu=1.0, written=0, peaks={"runner": 1})
    blind = Compared(
        files=1, names=1, first={"rsync": cost, "runner": cost}, days={"rsync": (cost,), "runner": (cost,)},
        differences={"rsync": 0, "runner": 0}, rewritten={"rsync": 0, "runner": 0}, calls={},
    )  # fmt: skip
    assert broken(claims((blind,), {})) == ["peak memory of runner-agent, 1 files, MB: inf, at most 120"]


def test_ratios_are_of_the_same_day() -> None:
    assert ratio((2.0, 30.0, 4.0), (1.0, 10.0, 4.0)) == Ratio(middle=2.0, least=1.0, most=3.0)
    assert ratio((0.0,), (0.0,)) is None
