"""What rsync brings and no look counts, and what a snapshot has where nobody looks now."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from runner.agent.look import reach
from tests.contract.look.looks import NO_RECORD, ONE, TWO, Looked, called, compare, copied, last, names
from tests.contract.storehouse import Said, frame
from tests.trees import deep

# A basis after which nothing has changed.
LATE = "2099-01-01T000000Z"
LEVELS = 4
BOTTOM = "/".join("d" * LEVELS)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Looked:
    monkeypatch.setattr(reach, "DEEPEST", LEVELS + reach.SPARE)
    (tmp_path / "source").mkdir()
    deep(tmp_path / "source", LEVELS + 2, file="f")
    for name in "vwxyz":
        (tmp_path / "source" / name).touch()
    return Looked(source=tmp_path / "source", scans=tmp_path / "scans")


def test_where_something_is_too_deep_their_number_proves_nothing(house: Looked) -> None:
    assert house.look(ONE).code == NO_RECORD
    # As many go as rsync brings from where it was not to get.
    for name in "vwxyz":
        (house.source / name).unlink()
    sent = 1 + sum(1 for _ in house.source.rglob("*"))
    stats = Said(code=0, out=b"\nNumber of files: %d (reg: 6, dir: 7)\nTotal file size: 0 bytes\n" % sent)
    words = (f"--scans={house.scans}", f"--name={ONE}", "--since=2100-01-01T00:00:00Z")
    walked = called("walk", str(house.source), *words, given=frame("send", stats))
    assert last(walked)["names"] == sent
    assert house.look(TWO, ONE).code == NO_RECORD


def test_what_is_too_deep_is_named_once_and_what_a_snapshot_has_of_it_goes(house: Looked, tmp_path: Path) -> None:
    copied(house.source, tmp_path / "copy")
    (house.source / BOTTOM / "d/f").write_text("changed")
    assert house.look(TWO, LATE).code == NO_RECORD
    listed = house.compared(TWO, LATE, compare(house.source, tmp_path / "copy"))
    # Whatever it is that the comparison saw there.
    assert names(listed) == [os.fsencode(BOTTOM), os.fsencode(f"{BOTTOM}/d/f")]
    settled = house.settle(TWO, listed)
    assert [line for line in settled.lines[:-1] if "path" not in line] == [
        {"replaced": BOTTOM}, {"gone": f"{BOTTOM}/d/f"},
    ]  # fmt: skip
    assert [(line["path"], line["cause"]) for line in settled.lines if "path" in line] == [(BOTTOM, "too deep")]
    assert last(settled)["counts"] == {"too deep": 1}


@pytest.mark.parametrize("word", ["left-out", "emptied"])
def test_what_nobody_compares_goes_where_no_record_says_that_it_is_there(
    house: Looked, tmp_path: Path, word: str
) -> None:
    (house.source / "place").mkdir()
    (house.source / "place/file").touch()
    copied(house.source, tmp_path / "copy")
    options = (f"--{word}={house.source}/place",)
    pattern = "/place" if word == "left-out" else "/place/*"
    assert house.look(TWO, LATE, *options).code == NO_RECORD
    listed = house.compared(TWO, LATE, compare(house.source, tmp_path / "copy", f"--exclude={pattern}"), *options)
    assert names(listed) == [b"place", os.fsencode(BOTTOM)]
    told = {"gone": "place"} if word == "left-out" else {"replaced": "place"}
    assert told in house.settle(TWO, listed).lines


def test_what_compares_a_snapshot_with_its_source_knows_what_is_too_deep(house: Looked, tmp_path: Path) -> None:
    copied(house.source, tmp_path / "copy")
    subprocess.run(("rm", "-r", tmp_path / "copy" / BOTTOM / "d", tmp_path / "copy" / BOTTOM / "f"), check=True)
    subprocess.run(("touch", "-r", house.source / BOTTOM, tmp_path / "copy" / BOTTOM), check=True)
    compared = compare(house.source, tmp_path / "copy")
    assert len(compared.out.splitlines()) == 5
    # Whether that is there nobody can say.
    compared = replace(compared, out=compared.out + b"cd+++++++++|" + b"/".join([b"L" * 200] * 21) + b"///\n")
    explained = called("explain", str(house.source), "--since=2100-01-01T00:00:00Z", given=frame("look", compared))
    assert [(line["path"], line["cause"]) for line in explained.lines[:-1]] == [
        (BOTTOM, "too deep"), ("/".join(["L" * 200] * LEVELS), "too deep"),
    ]  # fmt: skip
    assert explained.answer["counts"]["too deep"] == 2
