"""A run cut off at any moment, by whatever: what was sealed stays, what was sent is not lost."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator

import pytest

from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import Lab
from tests.lab.site import DATA, MIB, STATE, Ran, Runner, until
from tests.trees import change_tree

BUSY = 75


@pytest.fixture(scope="module")
def runner(lab: Lab) -> Runner:
    made = Runner(lab=lab)
    made.settle(files=80)
    made.good("run", "backup-papio")
    return made


@pytest.fixture(autouse=True)
def _old(runner: Runner) -> Iterator[None]:
    with runner.nothing_old_changes():
        yield


def taken_up(runner: Runner) -> Ran:
    """The next run; the far end of a killed one may need a moment to notice that it is alone."""
    end = time.monotonic() + 75
    while (ran := runner.run("run", "backup-papio")).code == BUSY and time.monotonic() < end:
        pass
    assert ran.code == 0, ran.said
    assert runner.partials() == []
    return ran


def verdicts(runner: Runner) -> list[str]:
    """How the runs of the journal ended, newest first."""
    return [one["verdict"] for one in json.loads(runner.good("history", "--json").said)]


@pytest.mark.soak
def test_nine_kills_at_random_moments_cost_nothing_but_time(runner: Runner) -> None:
    dice = random.Random(20261123)
    sealed, killed, partials = len(runner.sealed()), 0, 0
    with runner.slow(40):
        runner.fill("measured", 2)
        begun = time.monotonic()
        runner.good("run", "backup-papio")
        whole = time.monotonic() - begun
        runner.mail()
        for part in range(9):
            change_tree(runner.data, seed=100 + part)
            runner.fill(f"kill{part}", 2)
            going = runner.start("run", "backup-papio")
            # One kill in each ninth of what a run takes, from its first import to its report.
            time.sleep((part + dice.random()) / 9 * whole)
            going.kill()
            killed += runner.finish(going).code != 0
            partials = max(partials, len(runner.partials()))
    assert killed >= 6
    assert partials
    taken_up(runner)
    assert "was killed before it ended" in runner.mail()
    # A seal that had begun is not undone by the death of who ordered it.
    assert sealed + 11 - killed <= len(runner.sealed()) <= sealed + 11
    runner.faithful(runner.sealed()[-1])
    runner.good("run", "backup-papio")
    assert "killed" not in runner.mail()
    assert runner.record(runner.sealed()[-1])["added_files"] < 12
    runner.faithful(runner.sealed()[-1])


def test_the_journal_tells_a_killed_run_from_one_that_goes_on(runner: Runner) -> None:
    runner.fill("journal", 6)
    with runner.slow():
        going = runner.start("run", "backup-papio")
        until("the transfer", lambda: runner.arrived("journal"))
        assert "under way" in runner.good("history").said
        going.kill()
        runner.finish(going)
    assert "killed" in runner.good("history", "-n", "1").said
    taken_up(runner)
    # Runs that found the store busy were told so, and stopped nothing.
    assert [one for one in verdicts(runner) if one != "attention needed"][:2] == ["done", "failed"]


def test_a_source_that_changes_before_the_resume_touches_no_sealed_snapshot(runner: Runner) -> None:
    older = runner.store("papio") / runner.sealed()[-1] / DATA[1:]
    runner.fill("aaa", 6)
    linked = ["d0/large", "odd/%n%s%i", "links/z/first", "special/empty"]
    modes = {name: (older / name).stat().st_mode for name in linked}
    with runner.slow():
        going = runner.start("run", "backup-papio")
        # All is linked before anything is sent: the partial shares inodes with what is sealed.
        until("some to be sent", lambda: runner.arrived("aaa") >= 2)
        going.kill()
        runner.finish(going)
    partial = runner.store("papio") / ".partial" / runner.partials()[-1] / "1"
    both = [name for name in linked if (partial / name).exists() and (partial / name).samefile(older / name)]
    assert both, "nothing of the partial shares an inode with a sealed snapshot: the test shows nothing"
    for name in linked:
        (runner.data / name).chmod(0o604)
    runner.lab.run(PAPIO, "chown", "4321:4321", f"{DATA}/d0/large")
    runner.lab.run(PAPIO, "setfattr", "-n", "user.late", "-v", "x", f"{DATA}/links/z/first")
    change_tree(runner.data, seed=200)
    taken_up(runner)
    assert {name: (older / name).stat().st_mode for name in linked} == modes
    newest = runner.store("papio") / runner.sealed()[-1] / DATA[1:]
    assert (newest / "d0/large").stat().st_uid == 4321
    runner.faithful(runner.sealed()[-1])


def test_a_run_that_is_told_to_stop_keeps_what_it_sent(runner: Runner) -> None:
    name = "stop"
    runner.fill(name, 12)
    with runner.slow(40):
        sent = runner.sent()
        going = runner.start("run", "backup-papio")
        until("half of it", lambda: runner.arrived(name) >= 4)
        going.terminate()
        ran = runner.finish(going, timeout=30)
        assert ran.code == 1, ran.said
        assert "interrupted" in ran.said
        assert "the next run takes it up" in ran.said
        assert len(runner.partials()) == 1
        assert "1 interrupted snapshot of about " in runner.good("snapshots", "papio").said
    taken_up(runner)
    assert runner.sent() - sent < 12 * MIB * 1.35, "what was sent was sent again"
    runner.faithful(runner.sealed()[-1])
    assert runner.record(runner.sealed()[-1])["resumed"]


def test_an_ssh_that_is_cut_in_mid_transfer_is_taken_up_by_the_same_run(runner: Runner) -> None:
    size, sent = runner.fill("cut", 12), runner.sent()
    with runner.slow(40):
        going = runner.start("run", "backup-papio")
        until("half of it", lambda: runner.arrived("cut") >= 4)
        # One of the two may have ended by then, as the other was killed.
        runner.lab.run(BACKUP, "kill", "-KILL", *runner.pids(BACKUP, "^rsync --server"), check=False)
    ran = runner.finish(going)
    assert ran.code == 0, ran.said
    assert "interrupted" in ran.said
    assert runner.partials() == []
    runner.faithful(runner.sealed()[-1])
    assert runner.sent() - sent < size * 1.35, "what was sent was sent again"
    assert runner.record(runner.sealed()[-1])["unsummed"] == 0


def test_a_backup_server_that_loses_power_in_mid_transfer_is_taken_up_when_it_is_back(runner: Runner) -> None:
    change_tree(runner.data, seed=5)
    runner.fill("power", 12)
    with runner.slow(40):
        going = runner.start("run", "backup-papio")
        until("half of it", lambda: runner.arrived("power") >= 4)
        runner.lab.crash(BACKUP)
        runner.lab.boot(BACKUP)
    ran = runner.finish(going, timeout=150)
    assert ran.code == 0 or runner.partials(), ran.said
    if ran.code:
        runner.good("run", "backup-papio")
    assert "interrupted" in ran.said
    assert runner.partials() == []
    runner.faithful(runner.sealed()[-1])


@pytest.mark.soak
def test_a_pulled_cable_is_noticed_within_75_seconds_and_the_next_run_sends_the_rest(runner: Runner) -> None:
    size, sent = runner.fill("cable", 12), runner.sent()
    with runner.slow(40):
        going = runner.start("run", "backup-papio")
        until("half of it", lambda: runner.arrived("cable") >= 4)
        runner.lab.link("down")
        try:
            until("it to be noticed", lambda: not runner.pids(PAPIO, f"^python3 -IS {STATE}/ssh.py"), seconds=80)
            assert len(runner.partials()) == 1
        finally:
            runner.lab.link("up")
        going.terminate()
        ran = runner.finish(going)
    assert ran.code == 1, ran.said
    assert "interrupted at send-2" in ran.said
    assert "takes it up" in ran.said
    until("the far end to notice as well", lambda: not runner.pids(BACKUP, "^rsync --server"), seconds=80)
    runner.good("run", "backup-papio")
    runner.faithful(runner.sealed()[-1])
    assert runner.sent() - sent < size * 1.35, "what was sent was sent again"
