"""The disk of a living store taken away, swapped, or full, with papio and its backup server as they are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.compare import fingerprint
from tests.lab.images import BACKUP, PAPIO, STORE
from tests.lab.machines import Lab
from tests.lab.site import FILE, MIB, Runner, until

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


def test_a_disk_that_fills_up_over_ssh_is_pruned_and_finished_by_the_same_run(runner: Runner) -> None:
    file, old, new = runner.path(PAPIO, FILE), runner.data / "old", runner.data / "new"
    jobs = file.read_text()
    file.write_text(jobs.replace("{ min = 30, max = 400 }", "{ min = 2, max = 400, free_space = '2%', per_day = 400 }"))
    runner.fill("old", 24)
    runner.good("run", "backup-papio")
    shutil.rmtree(old)
    for _ in range(2):
        runner.good("run", "backup-papio")
    names = runner.sealed()
    before = {name: fingerprint(runner.store("papio") / name) for name in names[2:]}
    foreign, space = runner.store("papio") / "film.iso", os.statvfs(runner.store("papio"))
    with foreign.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, space.f_bfree * space.f_frsize - 12 * MIB)
    runner.fill("new", 30)
    try:
        ran = runner.good("run", "backup-papio")
        # How rsync itself ends here hangs on which end notices first; that it was for room is known at the store.
        assert f"no space left for '{STORE}'" in ran.said
        assert runner.sealed()[:-1] == names[2:]
        runner.faithful(runner.sealed()[-1])
        assert runner.partials() == []
        assert {name: fingerprint(runner.store("papio") / name) for name in names[2:]} == before
    finally:
        foreign.unlink()
        shutil.rmtree(new)
        file.write_text(jobs)
        # These have gone, and were meant to.
        runner.seen = {key: seen for key, seen in runner.seen.items() if key[1] not in names[:2]}


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
    until("the disk to be let go of", lambda: not runner.pids(BACKUP, "rsync --server"))
    runner.lab.disk("mount")
    assert runner.sealed() == sealed
    runner.good("run", "backup-papio")
    runner.faithful(runner.sealed()[-1])
    assert runner.partials() == []


def test_another_disk_with_the_right_label_gets_nothing_until_a_person_declares_it(runner: Runner) -> None:
    other, file = "/mnt/usb/other.img", runner.path(PAPIO, FILE)
    runner.lab.run(BACKUP, "mke2fs", "-q", "-t", "ext3", "-b", "4096", "-I", "256", "-L", "backups", other, "96M")
    uuid = runner.lab.run(BACKUP, "blkid", "-p", "-o", "value", "-s", "UUID", other).stdout.strip()
    ours = runner.lab.run(BACKUP, "blkid", "-p", "-o", "value", "-s", "UUID", mounted(runner)).stdout.strip()
    jobs = file.read_text()
    runner.lab.disk("umount")
    runner.lab.run(BACKUP, "mount", "-o", "loop", other, STORE)
    try:
        for job, words in (
            ("check-papio", "store papio has no snapshot"),
            ("backup-papio", "store papio is empty, and backup-papio has written to it before: another disk"),
            ("backup-papio", f'uuid = "{uuid}"'),
        ):
            ran = runner.run("run", job)
            assert ran.code == 3, ran.said
            assert words in " ".join(ran.said.split())
            assert [one.name for one in runner.store("papio").iterdir()] == ["lost+found"]

        file.write_text(jobs.replace("[disks.usb]", f'[disks.usb]\nuuid = "{ours}"'))
        for job in ("backup-papio", "purge-papio"):
            ran = runner.run("run", job)
            assert ran.code == 3, ran.said
            assert f"another disk is mounted: {uuid} instead of {ours}" in " ".join(ran.said.split())
            assert [one.name for one in runner.store("papio").iterdir()] == ["lost+found"]

        file.write_text(jobs.replace("[disks.usb]", f'[disks.usb]\nuuid = "{uuid}"'))
        runner.good("run", "backup-papio")
        assert len(runner.sealed()) == 1
    finally:
        file.write_text(jobs)
        runner.lab.disk("umount")
        runner.lab.disk("mount")
    runner.good("run", "backup-papio")
    runner.faithful(runner.sealed()[-1])
