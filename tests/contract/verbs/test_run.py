"""`runner run` with the real rsync, over trees that hold everything hard to copy."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests import compare, trees
from tests.contract.site import SECOND, Place, children, ended, running, senders, until


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A site over one tree of everything; nothing has run."""
    tree = tmp_path / "tree"
    trees.make_tree(tree, files=60)
    made = Place(folder=tmp_path / "site", trees=(tree,))
    made.declare()
    return made


@pytest.fixture
def frozen(place: Place) -> Iterator[tuple[Place, subprocess.Popen[bytes], list[int]]]:
    """A run whose rsync stands still; the processes to continue."""
    with running(place.start("run", "backup-papio")) as process:
        found = until(lambda: senders(process.pid))
        for pid in found:
            os.kill(pid, signal.SIGSTOP)
        yield place, process, found


def test_every_snapshot_equals_its_source_and_shares_what_did_not_change(place: Place) -> None:
    (tree,) = place.trees
    before: dict[Path, object] = {}
    for day in range(3):
        if day:
            trees.change_tree(tree, seed=day)
        ran = place.runner("run", "backup-papio")
        assert ran.code == 0, ran.out + ran.err
        newest = place.sealed[-1]
        assert compare.differences(tree, place.copy_of(tree, newest)) == []
        assert compare.rsync_silent(tree, place.copy_of(tree, newest)) == ""
        assert place.record(newest)["exceptions"] == 0
        for older, fingerprint in before.items():
            assert compare.fingerprint(older) == fingerprint
        before[newest] = compare.fingerprint(newest)
    first, second, third = place.sealed
    kept = {name for name, entry in compare.walk(place.copy_of(tree, first)).items() if entry.kind == "file"}
    for older, newer in ((first, second), (second, third)):
        shared = compare.shared(place.copy_of(tree, older), place.copy_of(tree, newer))
        assert len(shared & kept) > len(kept) * 0.8
    assert (place.store / "latest").readlink() == Path(third.name)


def test_an_unchanged_source_costs_no_inode_but_folders(place: Place) -> None:
    place.runner("run")
    place.runner("run", "backup-papio")
    first, second = (place.copy_of(place.trees[0], one) for one in place.sealed)
    others = {name for name, entry in compare.walk(first).items() if entry.kind != "folder"}
    assert compare.shared(first, second) == others
    assert place.record(place.sealed[-1])["added_files"] == 0


def test_a_run_with_nothing_due_still_reports(place: Place) -> None:
    place.runner("run")
    ran = place.runner("run")
    assert ran.code == 0
    assert "Nothing done" in ran.out and "not due until" in ran.out
    assert [mail.count("] nothing done") for mail in place.mails()] == [0, 1]


def test_planning_writes_nothing_but_state_and_the_plan_asked_for(place: Place, tmp_path: Path) -> None:
    place.runner("plan")
    before, source = place.listing(), compare.walk(place.trees[0])
    assert place.runner("plan", "--out", str(tmp_path / "plan.toml")).code == 0
    assert place.runner("plan", "--json").json["steps"]
    assert place.listing() == before and compare.walk(place.trees[0]) == source
    assert not place.store.exists() and (tmp_path / "plan.toml").exists()


def test_two_runs_at_once_the_second_says_which_is_at_it_since_when_and_how_far(
    frozen: tuple[Place, subprocess.Popen[bytes], list[int]],
) -> None:
    place, first, pids = frozen
    second = place.runner("run", "backup-papio")
    assert second.code == 75, second.out + second.err
    assert re.search(r"busy: the run that began at 20\d\d-.* is at step send-1 of it", second.out)
    assert "busy" in place.mails()[-1]
    nobody = place.runner("run")
    assert (nobody.code, "Nothing done" in nobody.out) == (0, True), nobody.out + nobody.err
    assert "is at step send-1 of it" in nobody.out and "What to do" not in place.mails()[-1]
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    assert ended(first).code == 0
    assert len(place.sealed) == 1 and place.partials == []
    assert [row["verdict"] for row in place.rows("SELECT verdict FROM jobs WHERE job = 'backup-papio'")] == ["done"]


def test_jobs_of_different_stores_run_side_by_side(place: Place) -> None:
    place.declare(SECOND)
    with running(place.start("run")) as process:
        slow = until(lambda: [
            pid for pid, words in children(process.pid)
            if words[:2] == ("rsync", "--archive") and "/second/" in words[-1]
        ])  # fmt: skip
        for pid in slow:
            os.kill(pid, signal.SIGSTOP)
        until(lambda: place.sealed)
        assert not list((place.sandbox / "papio/srv/backups/second").glob("*Z"))
        for pid in slow:
            os.kill(pid, signal.SIGCONT)
        assert ended(process).code == 0
    assert len(list((place.sandbox / "papio/srv/backups/second").glob("*Z"))) == 1


def test_a_store_that_cannot_be_written_is_told_and_the_other_job_goes_on(place: Place) -> None:
    place.declare(SECOND)
    place.store.parent.mkdir(parents=True)
    place.store.write_text("not a folder")
    ran = place.runner("run")
    assert ran.code in (1, 3), ran.out
    assert "backup-papio" in ran.out and len(place.mails()) == 1
    assert len(list((place.sandbox / "papio/srv/backups/second").glob("*Z"))) == 1


def test_a_reader_that_has_gone_ends_no_run(place: Place) -> None:
    process = place.start("run", "backup-papio")
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    assert ended(process).code == 0
    assert len(place.sealed) == 1 and len(place.mails()) == 1


def test_a_wrong_job_name_is_told_with_the_likely_one(place: Place) -> None:
    ran = place.runner("run", "backup-pappio")
    assert ran.code == 2
    assert "there is no job 'backup-pappio'; did you mean 'backup-papio'?" in ran.err
    assert not place.store.exists()


def test_the_times_of_a_run_are_those_of_the_site(place: Place) -> None:
    zone = ZoneInfo("America/New_York")
    before = datetime.now(zone).replace(microsecond=0)
    ran = place.runner("run", "backup-papio")
    at = re.search(r"^(\d\d:\d\d:\d\d) backup-papio/", ran.out, re.MULTILINE)
    assert at
    seconds = [int(part) for moment in (f"{before:%H:%M:%S}", at[1]) for part in moment.split(":")]
    (one, two) = (hour * 3600 + minute * 60 + second for hour, minute, second in (seconds[:3], seconds[3:]))
    assert (two - one) % 86400 < 600


def test_a_file_that_is_no_plan_is_called_that(place: Place) -> None:
    ran = place.runner("apply", "jobs.toml")
    assert (ran.code, "jobs.toml: is not a plan" in ran.err) == (2, True)


def test_the_record_and_the_journal_are_for_the_owner_only(place: Place) -> None:
    place.runner("run")
    for path in (place.record_path(place.sealed[0]), place.state):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_the_program_under_its_former_name_is_replaced_and_the_store_goes_on(place: Place) -> None:
    assert place.runner("run", "backup-papio").code == 0
    installed = place.sandbox / "backup-server1/usr/local/sbin/runner-agent"
    installed.rename(installed.with_name("runner-store"))
    (kept,) = place.sealed
    before = compare.fingerprint(kept)
    ran = place.runner("run", "backup-papio")
    assert ran.code == 0, ran.out + ran.err
    assert installed.is_file() and not installed.with_name("runner-store").exists()
    assert len(place.sealed) == 2 and compare.fingerprint(kept) == before
    planned = place.runner("plan", "backup-papio")
    assert "prepare-" not in planned.out


def test_a_file_of_the_former_name_stays_while_something_works_from_it(place: Place) -> None:
    assert place.runner("run", "backup-papio").code == 0
    former = place.sandbox / "backup-server1/usr/local/sbin/runner-store"
    former.write_text("#!/bin/sh\nread word\n")
    former.chmod(0o755)
    with subprocess.Popen(("sh", str(former)), stdin=subprocess.PIPE) as at_work:
        assert "runner-store" not in place.runner("plan", "backup-papio", "--commands").out
        assert place.runner("run", "backup-papio").code == 0
        assert former.is_file()
        at_work.communicate(b"go\n")
    assert "runner-store" in place.runner("plan", "backup-papio", "--commands").out
