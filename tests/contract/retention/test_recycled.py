"""A day at `max` in the place of the oldest: the new snapshot is made of it, and it alone goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.compare import differences, fingerprint, shared
from tests.contract import life
from tests.contract.site import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three snapshots where three may be; a thing or two changes before the next."""
    made = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    made.folder.mkdir()
    life.policy(made, "min = 1, max = 3", counting=", per_day = 9")
    life.good(made, "run", "backup-papio")
    for number in range(2):
        (made.trees[0] / "day").write_text(f"day {number}")
        life.good(made, "run", "backup-papio")
    folder = made.trees[0] / "folder"
    (folder / "file2").write_text("another")
    (folder / "file3").rename(folder / "moved")
    (folder / "file5").unlink()
    os.utime(folder / "file4")
    return made


def test_the_oldest_becomes_the_newest_and_no_other_is_touched(place: Place) -> None:
    (tree,), before = place.trees, place.sealed
    stay = {one.name: fingerprint(one) for one in before[1:]}
    counted = place.record(before[-1])["filesystems"][0]["files"]
    # A prune in the same plan sees what goes for the new one, and takes no second.
    plan = place.runner("plan", "backup-papio", "purge-papio", "--json").json
    (clone,) = (step for step in plan["steps"] if step["id"] == "backup-papio/clone")
    assert clone["effect"] == "expire" and f"--recycle={before[0].name}" in clone["action"]["argv"]
    assert not any("purge-papio/expire" in step["id"] for step in plan["steps"])
    shown = place.runner("plan", "backup-papio", "purge-papio").out
    assert "expires 1 snapshot" in shown.partition("Summary")[2], shown
    assert before[0].name in shown, shown
    ran = life.good(place, "run", "backup-papio", "purge-papio")
    assert f"expired {before[0].name}, the oldest" in ran.out, ran.out
    assert [one.name for one in place.sealed[:-1]] == [one.name for one in before[1:]]
    assert len(place.sealed) == 3 and place.partials == []
    assert {one.name: fingerprint(one) for one in before[1:]} == stay
    assert differences(tree, place.copy_of(tree)) == []
    # Three names are another inode, one is gone.
    assert len(shared(place.copy_of(tree, before[-1]), place.copy_of(tree))) >= 4
    assert place.record(place.sealed[-1])["filesystems"][0]["files"] == counted - 1
    records = {path.name.partition(".")[0] for path in (place.store / ".runner/records").iterdir()}
    assert records == {one.name for one in place.sealed}
    assert life.audited(place)["findings"] == []


@pytest.mark.parametrize("lost", [False, True])
def test_the_oldest_stays_where_the_source_has_shrunk_or_its_size_is_not_known(place: Place, *, lost: bool) -> None:
    """An empty folder in the place of a disk that is not mounted costs no good snapshot."""
    (tree,), before = place.trees, place.sealed
    if lost:
        records = list(place.sandbox.rglob("*.scan"))
        assert records
        for record in records:
            record.unlink()
    else:
        for path in (tree / "folder").iterdir():
            path.unlink()
    stay = {one.name: fingerprint(one) for one in before}
    ran = place.runner("run", "backup-papio")
    assert ran.code == (0 if lost else 3), ran.out
    assert "shrank" in ran.out or lost, ran.out
    why = f"no record says how many names {tree} had before" if lost else f"{tree} has far fewer names than in the"
    assert f"{before[0].name}, the oldest, stays: {why}" in " ".join(ran.out.split()), ran.out
    assert [one.name for one in place.sealed[:-1]] == [one.name for one in before]
    assert {one.name: fingerprint(one) for one in before} == stay
    assert differences(tree, place.copy_of(tree)) == []
    assert "expired" not in ran.out
    # Nothing goes either while the doubt lasts; and where there is none the store comes back to max.
    again = place.runner("run", "backup-papio", "purge-papio")
    assert len(place.sealed) == (3 if lost else 5), again.out
