"""Killed at random moments, the source changing in between: what is sealed stays, and so does the journal; the next
whole run is right.

The dice choose after how many things that can be seen from outside, a step that begins or ends, a name that comes or
goes, the whole process group gets SIGKILL; no clock does.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.compare import Entry, differences, fingerprint, rsync_silent
from tests.contract import life
from tests.contract.compose.histories import PATHS, do
from tests.contract.site import Place, children, running, tree_without_holes, until
from tests.contract.snapshots.test_interrupted import none_alive
from tests.soak import few
from tests.trees import change_tree

DEEDS = (
    "file",
    "folder",
    "symlink",
    "fifo",
    "link",
    "remove",
    "mode",
    "time",
    "owner",
    "user",
    "acl",
    "rename",
    "again",
)
PLACES = {".": 0, ".runner/records": 0, ".trash": 0, ".partial": 2, ".incoming": 2}
# Where there is room for one snapshot more than must stay, each day is made of the one that goes.
POLICY = "min = 1, max = 2"

pytestmark = [pytest.mark.long, pytest.mark.skipif(os.geteuid() != 0, reason="owners need root")]
Sealed = dict[str, tuple[dict[bytes, tuple[int, Entry]], dict[bytes, int]]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A store at its limit."""
    tree_without_holes(tmp_path / "tree")
    (tmp_path / "tree/deeds").mkdir()
    made = Place(folder=tmp_path / "site", trees=(tmp_path / "tree",))
    made.folder.mkdir()
    life.policy(made, POLICY, counting=", per_day = 9")
    for number in range(2):
        change(made, number)
        life.good(made, "run", "backup-papio")
    return made


def change(place: Place, seed: int) -> None:
    """What people do in a day, and what only a random program does."""
    dice = random.Random(f"change {seed}")
    change_tree(place.trees[0], seed=seed)
    history = [(dice.choice(DEEDS), dice.choice(PATHS), dice.choice(PATHS), dice.randrange(3)) for _ in range(25)]
    do(os.fsencode(place.trees[0] / "deeds"), history)


def sealed(place: Place) -> Sealed:
    """Each sealed snapshot: all of it, and when its folders changed. A new link changes a file's time of change."""
    return {one.name: (fingerprint(one), dict(folders(one))) for one in place.sealed}


def folders(top: Path) -> Iterator[tuple[bytes, int]]:
    for folder, _, _ in os.walk(os.fsencode(top)):
        yield folder, os.lstat(folder).st_ctime_ns


def seen(place: Place) -> tuple[object, ...]:
    """What a run has done until now, as far as others see it."""
    steps: object = ()
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(place.state / "journal.sqlite")) as base,
    ):
        steps = base.execute("SELECT count(*), count(ended) FROM steps").fetchone()
    return (steps, *(names(os.fsencode(place.store / each), levels) for each, levels in PLACES.items()))


def names(folder: bytes, levels: int) -> int:
    """How many there are in it, and so many levels below; somebody else makes and removes them."""
    count = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            below = levels and entry.is_dir(follow_symlinks=False)
            count += 1 + (names(entry.path, levels - 1) if below else 0)
    return count


def changes(place: Place, most: int = 0) -> int:
    """Run the job, and count how often something is to be seen; killed once that is so often, unless `most` is 0."""
    with running(place.start("run", "backup-papio")) as process:
        before, count = seen(place), 0
        while process.poll() is None and not 0 < most <= count:
            now = seen(place)
            count, before = count + (now != before), now
            time.sleep(0.004)
        grown = [pid for pid, _ in children(process.pid)]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        until(partial(none_alive, grown))
    return count


@pytest.mark.parametrize("kills", few((2, 30)))
def test_killed_at_random_moments_with_the_source_changed_in_between(place: Place, kills: int) -> None:
    tree, dice = place.trees[0], random.Random(20261130)
    most = changes(place)
    before, partials = sealed(place), 0
    for number in range(kills):
        change(place, 10 + number)
        # One in each part of what a run takes; not the first part only, where nothing happens in the store.
        changes(place, 1 + int((number % 10 + dice.random()) / 10 * most) if kills > 10 else most // 5 * (number + 1))
        now, partials = sealed(place), partials + len(place.partials)
        assert place.rows("SELECT count(*) AS n FROM runs")[0]["n"] >= 4 + number
        # The oldest goes for a new one, and no other.
        gone = [name for name in before if name not in now]
        assert gone == list(before)[: len(gone)] and now
        assert {name: now[name] for name in before if name in now} == {
            name: before[name] for name in now if name in before
        }
        for name in now.keys() - before.keys():
            assert differences(tree, place.copy_of(tree, place.store / name)) == []
        before = now
    assert partials, "no kill left anything half made"
    change(place, 9)
    life.good(place, "run", "backup-papio")
    assert differences(tree, place.copy_of(tree)) == []
    assert rsync_silent(tree, place.copy_of(tree)) == ""
    now = sealed(place)
    assert {name: now[name] for name in before if name in now} == {name: before[name] for name in now if name in before}
    life.good(place, "run", "purge-papio")
    assert place.partials == []
    assert not [*(place.store / ".trash").iterdir(), *(place.store / ".incoming").iterdir()]
    assert [path.name for path in (place.store / ".partial").iterdir()] == ["parts"]
    assert not list((place.store / ".partial/parts").iterdir())
    assert life.audited(place)["findings"] == []
