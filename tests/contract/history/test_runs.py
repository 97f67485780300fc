"""Each run sees whether the history of a store goes on from what its journal has, and its message has the head."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.contract import life
from tests.contract.history.chains import findings, head, told
from tests.contract.site import Place
from tests.contract.storehouse import Storehouse
from tests.soak import few

pytestmark = pytest.mark.long


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three snapshots of three that may be: the next day the oldest expires for the newest."""
    made = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    made.folder.mkdir()
    life.policy(made, "min = 1, max = 3", counting=", per_day = 9")
    for number in range(3):
        (made.trees[0] / "day").write_text(f"day {number}")
        life.good(made, "run", "backup-papio")
    return made


def store(place: Place) -> Storehouse:
    return Storehouse(root=place.store, source=place.trees[0])


def by_hand(place: Place, *argv: str) -> None:
    """What somebody at the store does with the agent, and no runner asked for."""
    with store(place).held():
        verb, *words = argv
        assert store(place).call(verb, str(place.store), *words, "--plan", "plan-1").code == 0


def doubts(place: Place, *jobs: str) -> str:
    ran = place.runner("run", *(jobs or ("check-papio",)))
    assert ran.code == 3, ran.out
    return " ".join(ran.out.split())


def test_each_message_has_the_head_that_the_store_has_then(place: Place) -> None:
    for number in range(2):
        (place.trees[0] / "day").write_text(f"another day {number}")
        known, ran = head(store(place)), life.good(place, "run", "backup-papio", "purge-papio", "check-papio")
        line = f"history of store papio at backup-server1: {head(store(place))}"
        assert (
            line in ran.out
            and line in " ".join(place.mails()[-1].split())
            and f"{head(store(place))} (the next run checks it" in ran.out
        )
        assert told(store(place))[-1].event == "sealed"
        assert line in place.runner("status").out and line in place.runner("snapshots").out
        assert place.runner("status", "--json").json["stores"]["papio"]["history"] == line
    assert [line.event for line in told(store(place))].count("expired") == 2
    assert findings(store(place), known) == []
    # And nothing is said of a day on which nothing was done.
    assert head(store(place)) in life.good(place, "run", "check-papio").out


@pytest.mark.parametrize("how", few(("removed", "written anew", "an old copy"), "an old copy"))
def test_a_history_that_does_not_go_on_is_told(place: Place, tmp_path: Path, how: str) -> None:
    chain = place.store / ".runner/chain"
    if how == "removed":
        chain.unlink()
    elif how == "an old copy":
        shutil.copytree(place.store, tmp_path / "old", symlinks=True)
        life.good(place, "run", "backup-papio")
        shutil.rmtree(place.store)
        shutil.copytree(tmp_path / "old", place.store, symlinks=True)
    else:
        # As if the last line had never been: another snapshot takes its number.
        chain.write_bytes(b"".join(chain.read_bytes().splitlines(keepends=True)[:-1]))
    said = doubts(place)
    assert "the history of store papio at backup-server1 is not the one that this runner saw on 20" in said
    # Neither a snapshot nor another day makes it a history that follows, and nothing expires before somebody knows why.
    many = len(place.sealed)
    assert "is not the one that this runner saw on 20" in doubts(place, "backup-papio", "purge-papio")
    assert len(place.sealed) == many + 1
    assert "is not the one that this runner saw on 20" in doubts(place)
    shown = place.runner("history", "papio")
    assert shown.code == 3 and f"runner history papio --accept {head(store(place))}" in " ".join(shown.out.split())
    assert place.runner("history", "papio", "--accept", f"9:{'a' * 64}").code == 2
    assert place.runner("history", "papio", "--accept", head(store(place))).code == 0
    ran = life.good(place, "run", "check-papio")
    assert "was taken as known by " in ran.out
    ran = life.good(place, "run", "check-papio", "purge-papio")
    assert "was taken as known by " not in ran.out and len(place.sealed) == 3
    shown = place.runner("history", "papio", "--json")
    assert shown.code == 0 and shown.json["known"] == shown.json["now"] == head(store(place))


def test_what_nobody_asked_for_is_told_and_what_is_gone_without_a_word(place: Place) -> None:
    one, two, _ = (each.name for each in place.sealed)
    by_hand(place, "expire", one, "--min", "1")
    assert f"store papio: {one} expired at 20" in doubts(place)
    shutil.rmtree(place.store / two)
    for path in (place.store / ".runner/records").glob(f"{two}*"):
        path.unlink()
    assert f"{two} of store papio: gone, with the record, and its history has no line that says why" in doubts(place)


def test_a_history_that_is_broken_is_told_every_time(place: Place) -> None:
    chain = place.store / ".runner/chain"
    chain.write_bytes(chain.read_bytes().replace(b"sealed", b"expired", 1))
    for _ in range(2):
        assert "the history of store papio at backup-server1 cannot be followed: " in doubts(place)
