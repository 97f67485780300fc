"""Runs cut off in the middle of a transfer: nothing sent is lost, nothing sealed is touched."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import compare, trees
from tests.contract.site import Place, children, ended, running, senders, tree_without_holes, until

FILES, FOLDERS, EACH = 2500, 10, 900
Fingerprints = dict[Path, dict[bytes, tuple[int, compare.Entry]]]


@pytest.fixture
def unsaved(tmp_path: Path) -> Place:
    """A site with a small tree, of which there is no snapshot."""
    tree = tmp_path / "tree"
    tree_without_holes(tree)
    made = Place(folder=tmp_path / "site", trees=(tree,))
    made.declare()
    return made


@pytest.fixture
def place(unsaved: Place) -> Place:
    """A site with one sealed snapshot of a small tree, to which many files have come since."""
    assert unsaved.runner("run").code == 0
    fill(unsaved.trees[0])
    return unsaved


def fill(tree: Path) -> None:
    dice = random.Random(7)
    for number in range(FILES):
        folder = tree / f"many{number % FOLDERS}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}").write_bytes(dice.randbytes(EACH))


def arrived(place: Place) -> int:
    """How many of the many files have been sent to what is not sealed."""
    # What moves away meanwhile is passed over: a glob would fail on it.
    tops = os.walk(place.store / ".incoming")
    return sum(len(folders) + len(files) for top, folders, files in tops if Path(top).name.startswith("many"))


def incoming(place: Place) -> set[int]:
    """The inodes of these; nobody is at work."""
    return {path.stat().st_ino for path in place.store.glob(".incoming/*/*/many*/*")}


def cut_when_sending(place: Place, number: int, *, whom: str = "runner") -> tuple[int, str]:
    """Start a run and send signal `number` when files have arrived; how it ended and what it said.

    rsync stands still meanwhile, so that it cannot be done before the signal is there.
    """
    known = arrived(place)
    with running(place.start("run", "backup-papio")) as process:
        until(lambda: arrived(place) > known + 20)
        pids = senders(process.pid)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        assert 20 < arrived(place) < FILES
        target = {"runner": process.pid, "rsync": pids[0], "hold": holder(process.pid)}[whom]
        os.kill(target, number)
        if (whom, number) != ("runner", signal.SIGKILL):
            until(lambda: not alive(pids[0]) or terminated(pids[0]))
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        result = ended(process)
        until(partial(none_alive, pids))
        return result.code, result.out


def holder(pid: int) -> int:
    return next(child for child, words in children(pid) if "hold" in words)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def none_alive(pids: list[int]) -> bool:
    return not any(alive(pid) for pid in pids)


def terminated(pid: int) -> bool:
    """Whether SIGTERM waits for a process that stands still."""
    pending = re.search(r"ShdPnd:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
    return bool(pending and int(pending[1], 16) >> (signal.SIGTERM - 1) & 1)


def assert_whole(place: Place, older: Fingerprints) -> None:
    """The next run takes up what there is, seals a copy of the source, and touches nothing older."""
    result = place.runner("run", "backup-papio")
    assert result.code == 0, result.out + result.err
    tree = place.trees[0]
    assert compare.differences(tree, place.copy_of(tree)) == []
    assert compare.rsync_silent(tree, place.copy_of(tree)) == ""
    assert {path: compare.fingerprint(path) for path in older} == older
    assert place.partials == []
    assert not [*(place.store / ".trash").iterdir(), *(place.store / ".incoming").iterdir()]
    assert not list((place.state / "spool/kept").rglob("[0-9]"))


def assert_counted(place: Place, record: dict[str, Any]) -> None:
    """All that has come since the snapshot before is new, whichever transfer brought it."""
    assert (record["added_files"], record["added_bytes"]) == (FILES + FOLDERS, FILES * EACH)
    new = [path.lstat().st_blocks * 512 for path in place.copy_of(place.trees[0]).glob("many*/*")]
    assert (len(new), sum(new)) == (FILES, record["added_room"])


@pytest.mark.parametrize(("number", "first"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_a_stopped_run_keeps_what_was_sent_says_so_and_the_next_takes_it_up(
    unsaved: Place, number: signal.Signals, *, first: bool
) -> None:
    place = unsaved
    assert first or place.runner("run").code == 0
    fill(place.trees[0])
    older = {path: compare.fingerprint(path) for path in place.sealed}
    code, out = cut_when_sending(place, number)
    assert code == 1 and "stopped by Ctrl-C or a signal, at send-1. What was sent is kept, and the next" in out, out
    assert len(place.partials) == 1 and len(place.sealed) == len(older)
    mail = place.mails()[-1]
    assert mail.count("] failed") == 1 and "Nothing sealed was harmed" in mail and "administrator" not in mail
    assert "Errno" not in mail.partition("\nLog\n")[0]
    there = incoming(place)
    assert_whole(place, older)
    now = {path.stat().st_ino for path in place.copy_of(place.trees[0]).glob("many*/*")}
    # What is listed is compared by its content, whatever its time says, and written anew: over a connection it is
    # the basis of deltas.
    assert not first or len(there & now) >= len(there) - 2
    record = place.record(place.sealed[-1])
    assert record["unsummed"] == 0 and record["summed"] >= FILES
    assert len(record["resumed"]) == 1


def test_a_source_that_changed_between_interruption_and_resume_touches_no_older_snapshot(place: Place) -> None:
    older = {path: compare.fingerprint(path) for path in place.sealed}
    cut_when_sending(place, signal.SIGINT)
    tree = place.trees[0]
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o611)
    trees.change_tree(tree, seed=5)
    assert_whole(place, older)


def test_one_resumed_after_another_loses_nothing(place: Place) -> None:
    older = {path: compare.fingerprint(path) for path in place.sealed}
    cut_when_sending(place, signal.SIGINT)
    first = place.partials
    cut_when_sending(place, signal.SIGINT)
    # One takes up the other, and is taken up itself.
    assert len(place.partials) == 1 and place.partials != first
    assert_whole(place, older)
    record = place.record(place.sealed[-1])
    assert record["unsummed"] == 0 and len(record["resumed"]) == 1
    assert_counted(place, record)


def test_when_rsync_is_killed_the_same_run_takes_it_up(place: Place) -> None:
    code, out = cut_when_sending(place, signal.SIGKILL, whom="rsync")
    assert code == 0, out
    assert len(place.sealed) == 2 and place.partials == []
    assert compare.differences(place.trees[0], place.copy_of(place.trees[0])) == []
    plans = place.rows("SELECT plans.id FROM plans JOIN runs ON runs.id = plans.run")
    assert len(plans) == 3


def test_when_the_lock_is_lost_the_transfer_ends_and_is_taken_up_under_a_new_one(place: Place) -> None:
    older = {path: compare.fingerprint(path) for path in place.sealed}
    code, out = cut_when_sending(place, signal.SIGKILL, whom="hold")
    assert code == 0 and "the lock was lost" in out, out
    assert len(place.sealed) == 2
    assert {path: compare.fingerprint(path) for path in older} == older


def test_after_kill_9_no_child_lives_on_and_the_journal_says_killed(place: Place) -> None:
    older = {path: compare.fingerprint(path) for path in place.sealed}
    code, _ = cut_when_sending(place, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert "killed" in place.runner("history").out
    steps = place.rows("SELECT id, ended FROM steps WHERE state IS NULL")
    assert [row["id"] for row in steps] == ["backup-papio/send-1"]
    assert_whole(place, older)
    assert "was killed before it ended" in place.mails()[-1]
    assert place.rows("SELECT id FROM runs WHERE ended IS NULL") == []
    record = place.record(place.sealed[-1])
    assert record["summed"] + record["unsummed"] >= FILES
    assert_counted(place, record)
    assert f"new in {FILES + FOLDERS:,} files" in place.mails()[-1]


def test_the_report_of_a_stopped_run_is_delivered_though_the_terminal_is_gone(place: Place) -> None:
    mails = len(place.mails())
    with running(place.start("run", "backup-papio")) as process:
        until(lambda: arrived(place) > 20)
        assert process.stdout and process.stderr
        process.stdout.close()
        process.stderr.close()
        process.stdout = process.stderr = None
        os.kill(process.pid, signal.SIGHUP)
        assert process.wait(timeout=60) == 1
    assert len(place.mails()) == mails + 1
