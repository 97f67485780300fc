"""A source that is empty for a day, a store that is, and a purge beside the backup: `max` is the end."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest

from tests.contract import life
from tests.contract.site import Place

# A backup that fails before that step, while a file of its name is in the folder.
STOP = """
from runner.hookspecs import hookimpl
from runner.model.plan import Command, Effect, Insertion, Step

class Keeper:
    @hookimpl
    def add_steps(self, job, steps, facts):
        if job.kind != "snapshot":
            return []
        return [
            Insertion(
                step=Step(id=job.name + "/stop-" + before, job=job.name, host="papio", effect=Effect.READ,
                          action=Command(argv=("test", "!", "-e", "{folder}/" + before)), why="as the test wants"),
                where="before", anchor=job.name + "/" + before,
            )
            for before in ("begin", "send-1")
        ]

def plugin(settings):
    return Keeper()
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(5):
        (tree / f"file {number}").write_text(f"content {number}")
    made = Place(folder=tmp_path / "site", trees=(tree,))
    life.policy(made, "min = 1, max = 2", counting=", per_day = 9")
    return made


def sums(place: Place, snapshot: Path) -> list[str]:
    lines = gzip.decompress((place.store / f".runner/records/{snapshot.name}.sums.gz").read_bytes()).splitlines()
    return sorted(os.fsdecode(line.rpartition(b"/")[2]) for line in lines)


def test_what_was_gone_for_a_day_is_shared_again_and_keeps_its_checksums(place: Place) -> None:
    (tree,) = place.trees
    assert place.runner("run", "backup-papio").code == 0
    inodes = {path.name: path.stat().st_ino for path in place.copy_of(tree).iterdir()}
    for path in list(tree.iterdir()):
        path.rename(tree.parent / path.name)
    emptied = place.runner("run", "backup-papio", "check-papio")
    assert emptied.code == 3 and "shrank: 1 file" in emptied.out, "the day itself is one that a person looks at"
    for name in inodes:
        (tree.parent / name).rename(tree / name)
    ran = place.runner("run", "backup-papio")
    assert ran.code == 0 and "0 B new in 0 files" in ran.out, ran.out
    assert {path.name: path.stat().st_ino for path in place.copy_of(tree).iterdir()} == inodes
    assert place.runner("run", "purge-papio").code == 0
    assert len(place.sealed) == 2
    assert sums(place, place.sealed[-1]) == sorted(inodes), "what is audited is the newest's now"
    assert sums(place, place.sealed[0]) == []


def test_a_backup_and_a_purge_in_one_plan_end_at_max_and_no_second_goes_for_one_that_was_not_made(
    place: Place, tmp_path: Path
) -> None:
    """What retention gives up for the new one goes when that is begun, and no other while it is not made."""
    jobs = place.folder / "jobs.toml"
    (place.folder / "mysite").mkdir()
    (place.folder / "mysite/keeper.py").write_text(STOP.format(folder=tmp_path))
    jobs.write_text(jobs.read_text() + '[hooks."mysite.keeper"]\n')
    for _ in range(2):
        assert place.runner("run", "backup-papio").code == 0
    old = place.sealed
    for before, goes, said in (("begin", 0, False), ("send-1", 1, True), ("send-1", 1, False)):
        (tmp_path / before).touch()
        failed = place.runner("run", "backup-papio", "purge-papio")
        assert failed.code == 1 and place.sealed == old[goes:], failed.out
        assert (f"expired {old[0].name}, the oldest" in failed.out) == said, failed.out
        (tmp_path / before).unlink()
    assert place.runner("run", "backup-papio", "purge-papio").code == 0
    assert len(place.sealed) == 2 and place.sealed[0] == old[1]


def test_a_store_that_was_wiped_is_the_first_thing_that_is_said(place: Place) -> None:
    """With all that the program keeps there: only the journal knows then that there was anything."""
    assert place.runner("run", "backup-papio").code == 0
    assert "good" in place.runner("status").out
    shutil.rmtree(place.store)
    for verb in ("status", "snapshots"):
        assert "store papio has been emptied: 1 snapshot" in " ".join(place.runner(verb).out.split())
    for job in ("check-papio", "backup-papio"):
        ran = place.runner("run", job)
        first = ran.out.partition("What to do\n")[2].lstrip().partition("\n")[0]
        assert ran.code == 3 and "store papio has been emptied: 1 snapshot sealed in it" in first, ran.out
    assert len(place.sealed) == 1, "the best answer to a loss is a new snapshot"
    told = place.rows("SELECT verdict FROM jobs WHERE job = 'backup-papio' ORDER BY ended")
    assert [row["verdict"] for row in told] == ["done", "attention needed"]
    # It holds a snapshot now, and of those that went not even a record is left to be put aside.
    ran = place.runner("run", "backup-papio")
    assert ran.code == 3 and "emptied" not in ran.out, ran.out
    assert "the history of store papio at backup-server1 is not the one that this runner saw on " in ran.out
    # Until a person says that he knows.
    now = place.runner("history", "papio", "--json").json["now"]
    assert place.runner("history", "papio", "--accept", now).code == 0
    assert place.runner("run", "backup-papio").code == 0
    ran = place.runner("snapshots", "papio", "--set-aside", "lost")
    assert ran.code == 2 and "no snapshot is lost" in ran.err
    # A sandbox that a person removes altogether begins anew: its journal was in it.
    shutil.rmtree(place.sandbox)
    assert place.runner("run", "backup-papio").code == 0
