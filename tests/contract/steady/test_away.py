"""Folders that are moved, removed, replaced or made between look, transfer and end: each snapshot is whole and true."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from runner.agent.compose.contract.compose import ComposedFilesystem
from runner.agent.compose.settled import SettledFilesystem, require_whole, settled
from runner.agent.frames import Frame
from tests.compare import differences, fingerprint
from tests.contract.compose.world import World, clone, compose_tree, made, seal_basis
from tests.contract.look.looks import ONE, THREE, TWO, Looked, names, send

Event = Callable[[Path], object]


def _write(top: Path, name: str, version: str) -> None:
    path = top / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{path.name}: {version}")


def _move(one: str, other: str) -> Event:
    return lambda top: (top / one).rename(top / other)


def _remove(name: str) -> Event:
    return lambda top: shutil.rmtree(top / name)


def _file(name: str) -> Event:
    return lambda top: _write(top, name, "in its place")


def _link(name: str, to: str) -> Event:
    return lambda top: (top / name).symlink_to(to)


def _edit(*known: str) -> Event:
    return lambda top: [_write(top, name, "new") for name in known]


def _unlink(name: str) -> Event:
    return lambda top: (top / name).unlink()


def _nothing(_: Path) -> None:
    """Nothing happens."""


def _all(*events: Event) -> Event:
    return lambda top: [event(top) for event in events]


OLD = ("still", "old/edited", "old/unlisted", "old/in/edited", "old/in/unlisted", "moves/unlisted")
NEW = _edit("new/a", "new/in/b")
# A folder is listed where something is made in it.
EDITED = _all(_edit("old/edited", "old/in/edited", "old/made", "old/in/made"), NEW)
AWAY, BACK = _move("old", "moves/old"), _move("moves/old", "old")
# What is not listed in a folder that goes after the look.
STAYS = {"old/unlisted", "old/in/unlisted"}
ALL_OLD = {*STAYS, "old/edited", "old/in/edited", "old/made", "old/in/made"}
ALL_NEW = {"new/a", "new/in/b"}


@dataclass(frozen=True, kw_only=True)
class Day:
    """What happens before the look, between look and transfer, and between that and the end; and which `files` are sealed
    then, but those that are there in any case; an empty folder has a slash."""

    before: Event = EDITED
    looked: Event = _nothing
    sent: Event = _nothing
    files: set[str]


DAYS = {
    "nothing": Day(files=ALL_OLD | ALL_NEW),
    "moved away": Day(looked=AWAY, files=STAYS | ALL_NEW),
    "away while it is sent": Day(looked=AWAY, sent=BACK, files=STAYS | ALL_NEW),
    "moved away once it is sent": Day(sent=AWAY, files=STAYS | ALL_NEW),
    "away and back before it is sent": Day(looked=_all(AWAY, BACK), files=ALL_OLD | ALL_NEW),
    "one below another moved away": Day(looked=_move("old/in", "moves/in"), files=ALL_OLD - {"old/in/edited", "old/in/made"} | ALL_NEW),
    "the outer one of two moved, and the inner one too": Day(
        looked=_all(_move("old/in", "moves/in"), AWAY), sent=BACK, files=STAYS | ALL_NEW
    ),
    "a file in its place while it is sent": Day(
        looked=_all(AWAY, _file("old")), sent=_all(_unlink("old"), BACK), files=STAYS | ALL_NEW
    ),
    "a file in its place from then on": Day(looked=_all(AWAY, _file("old")), files=STAYS | ALL_NEW),
    "a link in its place while it is sent": Day(
        looked=_all(AWAY, _link("old", "moves")), sent=_all(_unlink("old"), BACK), files=STAYS | ALL_NEW
    ),
    "removed": Day(looked=_remove("old"), files=STAYS | ALL_NEW),
    "removed and made": Day(looked=_all(_remove("old"), _edit("old/edited", "old/other")), files=STAYS | ALL_NEW | {"old/edited"}),
    "a new one moved away": Day(looked=_move("new", "moves/new"), files=ALL_OLD),
    "a new one away while it is sent": Day(looked=_move("new", "n"), sent=_move("n", "new"), files=ALL_OLD),
    "a new one moved away once it is sent": Day(sent=_move("new", "n"), files=ALL_OLD),
    "a new one removed once it is sent": Day(sent=_remove("new"), files=ALL_OLD),
    "a new one of two removed once they are sent": Day(sent=_remove("new/in"), files=ALL_OLD | {"new/a"}),
    "a new one made anew": Day(sent=_all(_remove("new"), _edit("new/a")), files=ALL_OLD | {"new/a"}),
    "gone at the look, and back": Day(before=_all(NEW, AWAY), looked=BACK, files=ALL_NEW),
    "a file at the look, a folder again when it is sent": Day(
        before=_all(NEW, _move("old", ".old"), _file("old")),
        looked=_all(_unlink("old"), _move(".old", "old")), files=ALL_NEW | {"old/"},
    ),
    "a file at the look, a folder while it is sent": Day(
        before=_all(NEW, _move("old", ".old"), _file("old")),
        looked=_all(_unlink("old"), _move(".old", "old")),
        sent=_all(_move("old", ".old"), _file("old")), files=ALL_NEW | {"old/"},
    ),
    "a file at the look, and gone": Day(
        before=_all(NEW, _remove("old"), _file("old")), looked=_unlink("old"), files=ALL_NEW,
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Site:
    """A source, whose folder of records knows its newest snapshot."""

    world: World
    looked: Looked

    def day(self, name: str, basis: str, looked: Event = _nothing, sent: Event = _nothing) -> None:
        """Make the next snapshot; nothing of it may be unexplained, or otherwise than the counts say."""
        source, world = self.world.source, self.world
        listing = self.looked.look(name, basis)
        assert listing.code == 0, listing
        looked(source)
        basis_names = clone(world.basis, world.place)
        done = send(listing.out, source, world.basis, world.incoming)
        assert done.code in (0, 23), done
        sent(source)
        told = self.looked.settle(name, listing)
        assert told.code == 0, told
        answer = settled(Frame(BytesIO(told.out), "settle", "done", 0, len(told.out)), "/")
        sealed = fingerprint(world.basis)
        self._compose(names(listing), answer, basis_names)
        assert fingerprint(world.basis) == sealed

    def _compose(self, known: list[bytes], answer: SettledFilesystem, basis_names: int) -> None:
        composed = compose_tree(self.world, known, fates=answer.fates)
        now = basis_names - composed.removed + composed.names_placed
        whole = ComposedFilesystem("/", now, composed.names_placed, composed.kept, composed.removed, composed.missing)
        require_whole(whole, answer, composed.unsent)
        assert now == len(fingerprint(self.world.place)) and composed.missing >= 0

    def seal(self) -> None:
        """What was composed is the newest snapshot."""
        shutil.rmtree(self.world.basis)
        self.world.place.rename(self.world.basis)
        shutil.rmtree(self.world.incoming)
        self.world.incoming.mkdir()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    world = made(tmp_path)
    for name in OLD:
        _write(world.source, name, "old")
    seal_basis(world)
    looked = Looked(source=world.source, scans=tmp_path / "scans")
    looked.first()
    world.incoming.mkdir(parents=True)
    return Site(world=world, looked=looked)


@pytest.mark.parametrize("case", DAYS)
def test_a_folder_that_goes_or_comes_while_it_is_copied(site: Site, case: str) -> None:
    day, copy = DAYS[case], site.world.place
    day.before(site.world.source)
    site.day(TWO, ONE, day.looked, day.sent)
    found = {str(path.relative_to(copy)): path for path in copy.rglob("*") if path.is_file()}
    empty = {f"{path.relative_to(copy)}/" for path in copy.rglob("*") if path.is_dir() and not any(path.iterdir())}
    assert found.keys() - {"still", "moves/unlisted"} | empty == day.files
    for path in found.values():
        assert path.read_text().partition(": ")[0] == path.name
    # The next one has whatever is there.
    site.seal()
    site.day(THREE, TWO)
    assert differences(site.world.source, site.world.place) == []
