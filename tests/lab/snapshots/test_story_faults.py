"""The whole runner between two real hosts when something is wrong: disks, keys, hosts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.images import BACKUP, PAPIO, STORE
from tests.lab.machines import Lab
from tests.lab.site import DATA, FILE, Ran, Runner

KNOWN = "/root/.ssh/known_hosts"
PLAN = "/var/tmp/plan.toml"


@pytest.fixture(scope="module")
def runner(lab: Lab) -> Runner:
    made = Runner(lab=lab)
    made.settle(files=60)
    made.good("run", "backup-papio")
    return made


@pytest.fixture(autouse=True)
def _old(runner: Runner) -> Iterator[None]:
    with runner.nothing_old_changes():
        yield


def untouched(runner: Runner, ran: Ran, *, code: int, words: str) -> None:
    """Nothing was sealed and nothing begun, and the report says why."""
    assert ran.code == code, ran.said
    assert words in " ".join(ran.said.split()), ran.said
    assert runner.partials() == []


@contextmanager
def mounted_instead(runner: Runner, image: str, mb: int, *options: str) -> Iterator[None]:
    """Another ext3 of the same label where the store's disk should be."""
    file = f"/mnt/usb/{image}"
    ext3 = ("mke2fs", "-q", "-t", "ext3", "-b", "4096", "-I", "256", "-m", "0", "-L", "backups")
    runner.lab.run(BACKUP, *ext3, file, f"{mb}M")
    runner.lab.disk("umount")
    runner.lab.run(BACKUP, "mount", "-o", ",".join(("loop", *options)), file, STORE)
    try:
        yield
    finally:
        runner.lab.disk("umount")
        runner.lab.disk("mount")


def test_a_host_whose_key_nobody_knows_gets_nothing(runner: Runner) -> None:
    known = runner.path(PAPIO, KNOWN)
    before, sealed = known.read_text(), runner.sealed()
    known.write_text("")
    try:
        ran = runner.run("run", "backup-papio")
    finally:
        known.write_text(before)
    untouched(runner, ran, code=3, words="backup-server1")
    assert "with its keeper" in ran.said
    assert "SHA256:" in ran.said
    assert runner.sealed() == sealed


def test_a_host_whose_key_has_changed_gets_nothing(runner: Runner) -> None:
    known = runner.path(PAPIO, KNOWN)
    before, sealed = known.read_text(), runner.sealed()
    other = runner.lab.run(PAPIO, "sh", "-c", "ssh-keygen -q -t ed25519 -N '' -f /run/other; cat /run/other.pub")
    known.write_text(f"backup-server1,192.168.199.2 {other.stdout}")
    try:
        ran = runner.run("run", "backup-papio")
    finally:
        known.write_text(before)
    untouched(runner, ran, code=3, words="ask its keeper why")
    assert "backup-server1" in ran.said
    assert runner.sealed() == sealed


def test_a_key_that_changes_after_the_plan_stops_its_apply(runner: Runner) -> None:
    runner.good("plan", "backup-papio", "--out", PLAN)
    known = runner.path(PAPIO, KNOWN)
    before, sealed = known.read_text(), runner.sealed()
    known.write_text("")
    try:
        ran = runner.run("apply", PLAN)
    finally:
        known.write_text(before)
    untouched(runner, ran, code=5, words="backup-server1 cannot be read now")
    assert runner.sealed() == sealed


def test_a_disk_that_is_not_mounted_leaves_its_mount_point_empty(runner: Runner) -> None:
    runner.lab.disk("umount")
    try:
        ran = runner.run("run", "backup-papio")
        assert list(runner.store("papio").iterdir()) == []
        listed = runner.run("snapshots", "papio")
        assert list(runner.store("papio").iterdir()) == []
    finally:
        runner.lab.disk("mount")
    untouched(runner, ran, code=3, words=f"the disk is not mounted at {STORE}")
    assert listed.code == 3
    assert "not mounted" in listed.said


def test_a_disk_that_goes_away_after_the_plan_is_not_written_beneath(runner: Runner) -> None:
    runner.good("plan", "backup-papio", "--out", PLAN)
    runner.lab.disk("umount")
    try:
        ran = runner.run("apply", PLAN)
        assert list(runner.store("papio").iterdir()) == []
    finally:
        runner.lab.disk("mount")
    untouched(runner, ran, code=5, words="store papio changed")


def test_a_disk_that_failed_and_went_read_only_is_told(runner: Runner) -> None:
    runner.lab.disk("readonly")
    sealed = runner.sealed()
    try:
        ran = runner.run("run", "backup-papio")
        partials = runner.partials()
    finally:
        runner.lab.disk("umount")
        runner.lab.disk("mount")
    assert ran.code in (1, 3), ran.said
    assert "read-only" in ran.said.lower(), ran.said
    assert (runner.sealed(), partials) == (sealed, [])


def test_another_disk_of_the_same_label_is_not_taken_for_the_one_that_was_planned(runner: Runner) -> None:
    runner.good("plan", "backup-papio", "--out", PLAN)
    with mounted_instead(runner, "other.img", 64):
        ran = runner.run("apply", PLAN)
        assert [one.name for one in runner.store("papio").iterdir()] == ["lost+found"]
    untouched(runner, ran, code=5, words="store papio changed")


def test_a_disk_with_another_disk_s_store_on_it_is_refused(runner: Runner) -> None:
    marker = (runner.store("papio") / ".runner/disk.json").read_text()
    with mounted_instead(runner, "copied.img", 64):
        (runner.store("papio") / ".runner").mkdir()
        (runner.store("papio") / ".runner/disk.json").write_text(marker)
        ran = runner.run("run", "backup-papio")
        assert runner.sealed() == []
        untouched(runner, ran, code=3, words="this store was made on disk")
        (runner.store("papio") / ".runner/disk.json").unlink()


def test_a_disk_that_is_known_to_be_too_small_is_not_begun_on(runner: Runner) -> None:
    runner.fill("toomuch", 24)
    file = runner.path(PAPIO, FILE)
    jobs = file.read_text()
    try:
        with mounted_instead(runner, "small.img", 16):
            # A new disk is taken for the store's only if a person says so.
            uuid = runner.lab.run(BACKUP, "blkid", "-p", "-o", "value", "-s", "UUID", "/mnt/usb/small.img").stdout
            file.write_text(jobs.replace("[disks.usb]", f'[disks.usb]\nuuid = "{uuid.strip()}"'))
            ran = runner.run("run", "backup-papio")
            assert runner.sealed() == []
            untouched(runner, ran, code=3, words="the next snapshot does not fit into store papio: it needs about ")
            assert [one.name for one in runner.store("papio").iterdir() if one.name != ".runner"] == ["lost+found"]
    finally:
        file.write_text(jobs)
        runner.lab.run(PAPIO, "rm", "-r", f"{DATA}/toomuch")
    assert "take a larger disk" in " ".join(ran.said.split()), ran.said


def test_a_source_that_is_not_mounted_is_an_exception_and_old_snapshots_keep_it(runner: Runner) -> None:
    older = runner.sealed()[-1]
    runner.lab.run(PAPIO, "umount", DATA)
    try:
        ran = runner.run("run", "backup-papio")
    finally:
        runner.mount_data()
    assert ran.code == 3, ran.said
    assert f"{DATA} of papio should be in this snapshot and is not mounted" in ran.said
    name = runner.sealed()[-1]
    assert name != older
    assert list((runner.store("papio") / name / DATA[1:]).iterdir()) == []
    record = runner.record(name)
    assert {"path": DATA, "cause": "not mounted"} in record["exceptions_list"]
    runner.good("run", "backup-papio")
    runner.faithful(runner.sealed()[-1])


def test_a_source_that_goes_away_after_the_plan_seals_nothing(runner: Runner) -> None:
    runner.good("plan", "backup-papio", "--out", PLAN)
    sealed = runner.sealed()
    runner.lab.run(PAPIO, "umount", DATA)
    try:
        ran = runner.run("apply", PLAN)
    finally:
        runner.mount_data()
    untouched(runner, ran, code=5, words="host papio changed")
    assert runner.sealed() == sealed


def test_a_host_that_is_down_skips_its_jobs_and_no_other_and_the_mail_says_so(runner: Runner) -> None:
    runner.mail()
    before = runner.sealed("local")
    runner.lab.crash(BACKUP)
    try:
        ran = runner.run("run", "backup-papio", "backup-backup-server1", "copy-data")
    finally:
        runner.lab.boot(BACKUP)
    assert ran.code == 3, ran.said
    assert len(runner.sealed("local")) == len(before) + 1
    text = " ".join(runner.mail().split())
    assert "Subject: [lab] attention needed: backup-server1 cannot be read: ssh: backup-server1 " in text
    # One host that is down is one item, whichever jobs need it.
    do = text.partition("What to do -")[2].partition("What happened -")[0]
    assert " 1. backup-server1 cannot be read: " in do, text
    assert " 2. " not in do, text
    assert "(backup-papio, backup-backup-server1): see that it is on and can be reached" in do, text
    assert " backup-papio, backup-backup-server1: backup-server1 cannot be read: " in text.partition("Not done")[2], (
        text
    )
    assert "sealed local/" in text


def test_jobs_toml_that_changes_after_the_plan_stops_its_apply(runner: Runner) -> None:
    runner.good("plan", "backup-papio", "--out", PLAN)
    file = runner.path(PAPIO, FILE)
    before = file.read_text()
    file.write_text(before.replace('name = "lab"', 'name = "lab" # the lab'))
    try:
        ran = runner.run("apply", PLAN)
    finally:
        file.write_text(before)
    untouched(runner, ran, code=5, words="jobs.toml changed")
