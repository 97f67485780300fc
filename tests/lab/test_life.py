"""The disk of a living store taken away, swapped, or full, with papio and its backup server as they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.images import BACKUP, PAPIO, STORE
from tests.lab.machines import Lab
from tests.lab.site import DATA, FILE, Runner, until

MORE = """
[jobs.purge-papio]
kind = "prune"
store = "papio"
[jobs.check-papio]
kind = "check"
store = "papio"
"""


@pytest.fixture(scope="module")
def runner(lab: Lab) -> Runner:
    made = Runner(lab=lab)
    made.settle(files=60)
    path = made.path(PAPIO, FILE)
    path.write_text(path.read_text().replace("[hooks.mail]", f"{MORE}[hooks.mail]"))
    made.good("run", "backup-papio")
    return made


def mounted(runner: Runner) -> str:
    """The loop device of the disk under the store."""
    return runner.lab.run(BACKUP, "findmnt", "-n", "-o", "SOURCE", STORE).stdout.strip()


@pytest.fixture(autouse=True)
def _old(runner: Runner) -> Iterator[None]:
    with runner.nothing_old_changes():
        yield
        # Whatever the test did, the disk is there again.
        runner.lab.run(BACKUP, "umount", "--lazy", STORE, check=False)
        runner.lab.disk("mount")


def test_a_disk_unplugged_in_mid_transfer_costs_that_snapshot_and_nothing_else(runner: Runner) -> None:
    sealed = runner.sealed()
    runner.fill("big", 24)
    with runner.slow():
        process = runner.start("run", "backup-papio")
        until("some of it to be there", lambda: runner.arrived("big") >= 2)
        # As a pulled plug: nothing more can be written, and the mount goes while files on it are open.
        runner.lab.disk("readonly")
        runner.lab.run(BACKUP, "umount", "--lazy", STORE)
        ran = runner.finish(process)
    assert ran.code in (1, 3), ran.said
    assert list(runner.store("papio").iterdir()) == []
    print(ran.said)
    until("the disk to be let go of", lambda: not runner.pids(BACKUP, "rsync --server"))
    runner.lab.disk("mount")
    assert runner.sealed() == sealed
    runner.good("run", "backup-papio")
    runner.faithful(runner.sealed()[-1])
    assert runner.partials() == []


def test_another_disk_with_the_right_label_gets_nothing(runner: Runner) -> None:
    other = "/mnt/usb/other.img"
    runner.lab.run(BACKUP, "mke2fs", "-q", "-t", "ext3", "-b", "4096", "-I", "256", "-L", "backups", other, "64M")
    runner.lab.disk("umount")
    runner.lab.run(BACKUP, "mount", "-o", "loop", other, STORE)
    for job in ("backup-papio", "purge-papio", "check-papio"):
        ran = runner.run("run", job)
        print(ran.code, ran.said)
    print([one.name for one in runner.store("papio").iterdir()])
    assert 0
