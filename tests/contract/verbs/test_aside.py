"""A clock was ahead and is right again: every message leads to the next command, until backups go on."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract import life
from tests.contract.site import Place, small
from tests.contract.storehouse import Storehouse

AHEAD = "2098-11-23T081500Z"
# What makes the clock of a runner's own process a year fast; what it starts has the machine's.
FAST = """
from datetime import timedelta
from runner.verbs.app import App
now = App.now
App.now = lambda self: now(self) + timedelta(days=365, hours=1)
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = small(tmp_path)
    ran = made.runner("run", "backup-papio")
    assert ran.code == 0, ran.out + ran.err
    return made


def test_a_clock_that_is_a_year_ahead_seals_nothing(place: Place, tmp_path: Path) -> None:
    (tmp_path / "fast").mkdir()
    (tmp_path / "fast/sitecustomize.py").write_text(FAST)
    before = place.sealed
    ran = place.runner("run", "backup-papio", PYTHONPATH=str(tmp_path / "fast"))
    assert ran.code == 3, ran.out + ran.err
    assert "it seems 365 days ahead" in ran.out and "nothing was written" in ran.out
    assert (place.sealed, place.partials) == (before, [])
    assert "it seems 365 days ahead" in " ".join(place.mails()[-1].split())


def from_the_future(place: Place) -> None:
    """The snapshot as a clock that was ahead would have named it."""
    (sealed,) = place.sealed
    record = {**place.record(sealed), "name": AHEAD}
    for path in (place.store / ".runner/records").glob(f"{sealed.name}.*"):
        path.rename(path.with_name(path.name.replace(sealed.name, AHEAD)))
    sealed.rename(place.store / AHEAD)
    place.record_path(place.store / AHEAD).write_text(json.dumps(record))
    with closing(sqlite3.connect(place.state / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE steps SET result = replace(result, ?, ?)", (sealed.name, AHEAD))
    life.forget_history(place)


def test_a_snapshot_from_the_future_leaves_by_the_command_that_the_message_gives(place: Place) -> None:
    from_the_future(place)
    ran = place.runner("run", "backup-papio")
    assert ran.code == 3, ran.out + ran.err
    assert f"{AHEAD} of store papio lies " in ran.out and "set the clock" not in ran.out
    assert "1 snapshot from the future, so none can be made" in place.runner("status").out
    (command,) = set(re.findall(r"runner (snapshots papio --set-aside \S+)", ran.out))
    ran = place.runner(*command.split())
    assert ran.code == 0, ran.out + ran.err
    assert "0 snapshots without exceptions will count in store papio, min is 30" in ran.out
    assert f"{AHEAD} counts no more" in ran.out
    assert place.runner("run", "backup-papio").code == 0
    assert [path.name != AHEAD for path in place.sealed] == [True]

    listed = place.runner("snapshots")
    assert f"set aside: {AHEAD}" in listed.out
    (drop,) = set(re.findall(r"runner (snapshots papio --drop-aside .*)", listed.out))
    # For good only by a plan that somebody has read.
    refused = place.runner(*drop.split()[:-2])
    assert (refused.code, (place.store / ".aside" / AHEAD).is_dir()) == (4, True), refused.out + refused.err
    written = place.runner(*drop.split())
    assert written.code == 0, written.out + written.err
    ran = place.runner("apply", "plan.toml")
    assert ran.code == 0, ran.out + ran.err
    assert not [path for path in place.store.rglob(f"*{AHEAD}*") if path.is_dir()]
    assert place.runner("snapshots", "--set-aside", AHEAD).code == 2


def test_records_of_lost_snapshots_leave_by_the_command_that_the_message_gives(place: Place) -> None:
    (sealed,) = place.sealed
    shutil.rmtree(sealed)
    ran = place.runner("run", "backup-papio")
    assert ran.code == 3 and len(place.sealed) == 1, ran.out + ran.err
    (command,) = set(re.findall(r"runner (snapshots papio --set-aside lost)", ran.out))
    # It was the newest: its history says that it never was, and that is told until somebody says that he knows.
    ran = place.runner(*command.split())
    assert ran.code == 3 and "is not the one that this runner saw on " in ran.out, ran.out + ran.err
    assert [path.name for path in (place.store / ".aside/records").glob("*.json")] == [f"{sealed.name}.json"]
    (command,) = set(re.findall(r"runner (history papio --accept [0-9a-f:]+)", place.runner("history", "papio").out))
    assert place.runner(*command.split()).code == 0
    ran = place.runner("run", "backup-papio")
    assert ran.code == 0 and "--set-aside lost" not in ran.out, ran.out + ran.err


def test_interrupted_copies_are_dropped_unless_a_run_holds_the_store(place: Place) -> None:
    assert "nothing to drop" in place.runner("snapshots", "papio", "--drop-partials").out
    house = Storehouse(root=place.store, source=place.trees[0])
    (sealed,) = place.sealed
    half = "2098-01-01T000000Z"
    with house.held():
        assert house.begin(half, sealed.name).code == 0
        busy = place.runner("snapshots", "papio", "--drop-partials")
        assert busy.code == 75 and "store papio is busy" in busy.err, busy.out + busy.err
    stopped = place.runner("run", "backup-papio")
    assert stopped.code == 3 and "runner snapshots papio --drop-partials" in stopped.out, stopped.out
    ran = place.runner("snapshots", "papio", "--drop-partials")
    assert ran.code == 0, ran.out + ran.err
    assert place.partials == [] and not list((place.store / ".trash").iterdir())
    assert place.runner("run", "backup-papio").code == 0
