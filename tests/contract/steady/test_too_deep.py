"""Where the source has more levels than a snapshot can have, or is not entered any more, each day is whole all the same.

At the source the agent may have few open files here and rsync many, so that rsync gets further than the agent counts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from runner.agent.look.reach import SPARE
from tests.contract.storehouse import Said, Storehouse
from tests.trees import deep

NAMES = tuple(f"2026-11-2{day}T010000Z" for day in range(8))
AT_SOURCE = ("look", "changed", "settle", "walk", "explain")
LEVELS = 20
BOTTOM = "/".join("d" * LEVELS)


@dataclass(frozen=True, kw_only=True)
class Lowered(Storehouse):
    """One whose agent knows that rsync gets LEVELS far."""

    def call(self, *argv: str, given: bytes = b"", around: tuple[str, ...] = ()) -> Said:
        low = ("prlimit", f"--nofile={LEVELS + SPARE}:") if argv[0] in AT_SOURCE else ()
        return super().call(*argv, given=given, around=(*around, *low))

    def exceptions(self, name: str) -> list[str]:
        record: dict[str, Any] = self.call("record", str(self.root), name).answer
        return [each["path"] for each in record["exceptions_list"] if each["cause"] == "too deep"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Lowered]:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_text("text")
    yield Lowered(root=tmp_path / "store", source=tmp_path / "source")
    # Deeper than Python removes trees.
    subprocess.run(("rm", "-rf", "--", tmp_path / "source", tmp_path / "store"), check=True)


def names(top: Path) -> list[str]:
    argv = ("find", ".", "-mindepth", "1", "-printf", r"%P\0")
    return sorted(os.fsdecode(subprocess.run(argv, cwd=top, check=True, capture_output=True).stdout).split("\0")[1:])


def within(top: Path) -> list[str]:
    """The names of the source that rsync gets to."""
    longest = 4096 - 256 - len(os.fsencode(top))
    parents = [(name, name.rpartition("/")[0]) for name in names(top)]
    return [name for name, above in parents if name.count("/") < LEVELS and len(above) <= longest]


def change(source: Path) -> None:
    (source / BOTTOM).parent.joinpath("file").write_text("changed")
    (source / BOTTOM / "d/d/file").write_text("changed")


def chain(source: Path) -> None:
    deep(source, 25, "L" * 200)


def remove(source: Path) -> None:
    subprocess.run(("rm", "-rf", source / "d"), check=True)


def test_what_is_too_deep_is_an_exception_every_day(house: Lowered) -> None:
    deep(house.source, LEVELS + 10, file="file")
    assert house.snapshot(NAMES[0]).code == 0
    # All of it came: rsync was not asked to stop.
    assert len(names(house.root / NAMES[0])) == 2 * (LEVELS + 10) + 1
    # The second day has no record, the third has, and of the fourth it is lost.
    for number, (act, exceptions) in enumerate(((chain, 2), (change, 2), (remove, 1)), 1):
        act(house.source)
        if act is remove:
            shutil.rmtree(house.scans)
        said = house.snapshot(NAMES[number], NAMES[number - 1])
        assert said.code == 0, said
        copy = house.root / NAMES[number]
        assert names(copy) == within(house.source)
        told = house.exceptions(NAMES[number])
        assert len(told) == exceptions
        assert (f"/{BOTTOM}" in told) == (act is not remove)
    assert (house.root / NAMES[2] / BOTTOM).parent.joinpath("file").read_text() == "changed"


def test_a_folder_that_is_a_mount_point_now_and_no_record_says_what_was_in_it(house: Lowered) -> None:
    place = house.source / "place"
    (place / "inner").mkdir(parents=True)
    (place / "inner/file").write_text("text")
    assert house.snapshot(NAMES[0]).code == 0
    said = replace(house, points=("/", "/place")).snapshot(NAMES[1], NAMES[0])
    assert said.code == 0, said
    assert names(house.root / NAMES[1]) == names(house.source)
