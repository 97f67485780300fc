"""A folder of the source that is a link now, to a real folder of the store's host, and one that was: nothing leads out.

Whole days by the real programs; also where what was sent of one of them is taken up by the next.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.compare import differences, fingerprint
from tests.contract.storehouse import Storehouse, frame
from tests.soak import few

NAMES = tuple(f"2026-11-2{day}T010000Z" for day in range(8))
# Names that only bytes tell apart.
BYTES = (
    b"caf\xc3\xa9",
    b"cafe\xcc\x81",
    b"caf\xe9",
    b"CAF\xc3\xa9",
    b"caf\xc3\xa9 ",
    b"caf\xc3\xa9\n",
    b"\xef\xbb\xbfcaf\xc3\xa9",
)
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a link of root's is followed with root's rights")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the host's own, with the names that are in the source's too."""
    folder = tmp_path / "outside"
    filled(folder, "the host's own")
    return folder


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/other").write_text("other")
    return Storehouse(root=tmp_path / "store", source=tmp_path / "source")


def filled(folder: Path, text: str) -> None:
    (folder / "inner").mkdir(parents=True)
    for name in ("file", "inner/file", "inner/more"):
        (folder / name).write_text(text)


def emptied(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def as_folder(path: Path, outside: Path) -> None:
    filled(path, "the source's")


def as_other_folder(path: Path, outside: Path) -> None:
    filled(path, "the source's, and another")


def as_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def as_link_above(path: Path, outside: Path) -> None:
    """The folder is there, and a folder in it leads out."""
    filled(path, "the source's")
    shutil.rmtree(path / "inner")
    (path / "inner").symlink_to(outside / "inner")


def as_nothing(path: Path, outside: Path) -> None:
    pass


As = Callable[[Path, Path], None]
DAYS: Sequence[As] = (as_folder, as_link, as_link_above, as_other_folder, as_link)


CHANGES = tuple(
    itertools.product((as_link, as_link_above, as_folder, as_other_folder), (as_folder, as_link, as_link_above))
)


def become(house: Storehouse, what: As, outside: Path) -> None:
    emptied(house.source / "place")
    what(house.source / "place", outside)


def test_each_day_is_as_the_source_was_and_nothing_outside_is_touched(house: Storehouse, outside: Path) -> None:
    kept, before, sealed = fingerprint(outside), "", dict[str, object]()
    for name, what in zip(NAMES, DAYS, strict=False):
        become(house, what, outside)
        for each in BYTES[: 1 + NAMES.index(name)]:
            (house.source / os.fsdecode(each)).write_text(f"{name} {each!r}")
        assert house.snapshot(name, before).code == 0
        assert differences(house.source, house.root / name) == []
        assert {each: fingerprint(house.root / each) for each in sealed} == sealed
        sealed[name], before = fingerprint(house.root / name), name
        assert fingerprint(outside) == kept


@pytest.mark.parametrize("changes", few(CHANGES, (as_link, as_folder), (as_folder, as_link)))
def test_what_was_sent_before_is_taken_up_and_leads_nowhere(
    house: Storehouse, outside: Path, changes: tuple[As, As]
) -> None:
    first, then = changes
    kept = fingerprint(outside)
    become(house, as_other_folder, outside)
    assert house.snapshot(NAMES[0]).code == 0
    sealed = fingerprint(house.root / NAMES[0])
    become(house, first, outside)
    (house.source / "not sent").write_text("text")
    with house.held():
        assert house.begin(NAMES[1], NAMES[0]).code == 0
        house.cut_off(NAMES[1], NAMES[0], [b"./not sent"])
    become(house, then, outside)
    assert house.snapshot(NAMES[2], NAMES[0], [NAMES[1]]).code == 0
    assert differences(house.source, house.root / NAMES[2]) == []
    assert fingerprint(outside) == kept
    assert fingerprint(house.root / NAMES[0]) == sealed


def test_a_folder_that_is_a_link_while_it_is_sent(house: Storehouse, outside: Path) -> None:
    kept, place, away = fingerprint(outside), house.source / "place", house.source / "away"
    become(house, as_folder, outside)
    assert house.snapshot(NAMES[0]).code == 0
    for name in ("file", "inner/file"):
        (place / name).write_text("another day")
    with house.held():
        assert house.begin(NAMES[1], NAMES[0]).code == 0
        assert house.clone(NAMES[1], NAMES[0]).code == 0
        names = house.listed(NAMES[1], NAMES[0])
        place.rename(away)
        place.symlink_to(outside)
        first, again = house.send_listed(NAMES[1], NAMES[0], names), house.send_again(NAMES[1], names)
        # As where rsync had nothing to complain of: nobody compares what was sent.
        words = (f"--scans={house.scans}", f"--name={NAMES[1]}", "--listed=list")
        settled = house.call("settle", house.top(), *words, given=frame("list", names))
        assert house.compose(NAMES[1], frame("settle", settled) + frame("list", names)).code == 0
        made = frame("send", again) + frame("settle", settled) + frame("first", first)
        assert house.seal(NAMES[1], made).code == 0
    assert fingerprint(outside) == kept
    # What rsync read through the link is in no snapshot.
    sealed = (path for path in (house.root / NAMES[1]).rglob("*") if path.is_file())
    assert not any(b"host" in path.read_bytes() for path in sealed)
    assert house.snapshot(NAMES[2], NAMES[1]).code == 0
    assert differences(house.source, house.root / NAMES[2]) == []


def test_a_mount_point_that_is_a_link_for_a_day(house: Storehouse, outside: Path) -> None:
    kept, place = fingerprint(outside), house.source / "place"
    mounted, alone = replace(house, points=("/", "/place")), house
    become(house, as_folder, outside)
    assert mounted.snapshot(NAMES[0]).code == 0
    for name, before, at, what in (
        (NAMES[1], NAMES[0], alone, as_link),
        (NAMES[2], NAMES[1], alone, as_other_folder),
        (NAMES[3], NAMES[2], mounted, as_link_above),
        (NAMES[4], NAMES[3], alone, as_nothing),
    ):
        become(house, what, outside)
        said = at.snapshot(name, before)
        assert said.code == 0, said
        assert differences(house.source, house.root / name) == []
        assert fingerprint(outside) == kept
    assert not place.exists()
