"""What a host says of the checks of its next boot, and a check brought forward, on real mounted disks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hooks.fsck import plugin
from runner.agent.answer import table
from runner.agent.power import boot_checks
from runner.jobs.disks import tune2fs
from runner.jobs.power import agent_checks
from runner.model.facts import Facts, HostFacts, Reading, StoreFacts
from runner.model.plan import Argv, Check, Command, Effect, Insertion, Lock, PlannedJob, Step
from runner.model.role import Role
from runner.model.site import Disk, Store
from tests.contract.fsck_parts import fsck_site
from tests.mounts import attached

pytestmark = [pytest.mark.long, pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")]

VERB = "from runner.agent.__main__ import main; main()"


def run(*argv: str | Path, codes: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        [str(word) for word in argv], capture_output=True, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode in codes, (argv, done)
    return done.stdout


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A loop device with an ext3 whose check is due, and a root folder with its fstab."""

    device: str
    mount: Path
    root: Path

    def checks(self) -> agent_checks.HostChecks:
        """What the host says of it."""
        answer = boot_checks.read(("--", self.device), self.root)
        read = agent_checks.read(Reading(exit=0, out=json.dumps(table(answer))))
        assert read is not None, answer
        return read

    def own(self) -> agent_checks.Extfs:
        """The filesystem on the device."""
        (only,) = [own for own in self.checks().filesystems if self.device in own.seen.devices]
        return only

    def mounted(self) -> bool:
        """Whether it is where it should be."""
        return os.path.ismount(self.mount)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    image, mount = tmp_path / "disk.img", tmp_path / "mnt with blank"
    mount.mkdir()
    (tmp_path / "root/etc").mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(32 * 2**20)
    run("mke2fs", "-q", "-F", "-t", "ext3", image)
    run("tune2fs", "-i", "120d", "-T", "20260101", image)
    with attached(image) as device:
        made = Bench(device=device, mount=mount, root=tmp_path / "root")
        place = str(mount).replace(" ", "\\040")
        fstab = f"# none\nproc /proc proc defaults 0 0\n{device} {place} ext3 nofail 0 2\n"
        (made.root / "etc/fstab").write_text(fstab, encoding="ascii")
        run("mount", device, mount)
        try:
            yield made
        finally:
            run("umount", mount, codes=(0, 32))


def test_a_mounted_disk_is_told_with_its_line_of_fstab_and_what_is_on_it(bench: Bench) -> None:
    for number in range(20):
        (bench.mount / f"{number}").mkdir()
    run("sync", "-f", bench.mount)
    own = bench.own()
    assert (own.seen.mount, own.seen.at, own.seen.pass_, own.seen.noauto, own.seen.nofail) == (
        str(bench.mount), str(bench.mount), 2, False, True,
    )  # fmt: skip
    assert (own.superblock.state, own.superblock.interval is not None) == ("clean", True)
    about = os.statvfs(bench.mount)
    assert own.inodes_used == about.f_files - about.f_ffree
    assert own.seen.directories == 22
    assert own.seen.table == own.shape.inodes * own.shape.inode_size
    assert own.problem == ""


def test_a_disk_that_is_away_or_no_disk_says_why(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "zero").write_bytes(bytes(2**20))
    for path in (tmp_path / "zero", tmp_path / "gone"):
        answer = boot_checks.read(("--", str(path)), bench.root)
        read = agent_checks.read(Reading(exit=0, out=json.dumps(table(answer))))
        assert read is not None
        (only,) = [own for own in read.filesystems if str(path) in own.seen.devices]
        assert only.problem.startswith("dumpe2fs: ")


def test_words_to_the_kernel_and_files_that_force_checks_are_found(bench: Bench) -> None:
    (bench.root / "proc").mkdir()
    (bench.root / "proc/cmdline").write_text("root=LABEL=root fsck.mode=force fsck.repair=yes quiet\n")
    (bench.root / "forcefsck").touch()
    checks = bench.checks()
    assert (checks.answer.kernel, checks.answer.files) == (("fsck.mode=force",), ("/forcefsck",))


def test_an_unmounted_disk_of_fstab_is_told_without_being_asked_for(bench: Bench) -> None:
    run("umount", bench.mount)
    answer = boot_checks.read((), bench.root)
    assert [own.mount for own in answer.filesystems if own.device == bench.device] == [""]
    assert [own.pass_ for own in answer.filesystems if own.device == bench.device] == [2]


def due(own: agent_checks.Extfs, at: datetime) -> str:
    """What a boot at that time checks it for; "" for nothing."""
    assert own.problem == ""
    return tune2fs.will_check(own.superblock, at) or ""


def e2fsck(path: str | Path, at: datetime) -> str:
    """What a boot at that time does with it."""
    return run("env", f"E2FSCK_TIME={int(at.timestamp())}", "e2fsck", "-p", "--", path, codes=(0, 1))


def changed(path: Path, place: int, value: bytes) -> None:
    """Write into a disk that is not mounted, or into the file under one that is."""
    with path.open("r+b", buffering=0) as file:
        file.seek(place)
        file.write(value)


@pytest.mark.parametrize("future", [False, True])
@pytest.mark.parametrize("errno", [0, -5])
def test_after_a_power_cut_the_journal_decides_and_not_a_clock_that_ran_ahead(
    bench: Bench, tmp_path: Path, future: bool, errno: int
) -> None:
    now = datetime.now(tz=UTC)
    run("tune2fs", "-T", "now", bench.device)
    (bench.mount / "written").write_text("before the cut")
    run("sync", "-f", bench.mount)
    assert due(bench.own(), now) == "", "while it is mounted"
    crashed = tmp_path / "crashed.img"
    run("cp", tmp_path / "disk.img", crashed)
    if future:
        changed(crashed, 1024 + 0x30, int((now + timedelta(days=9)).timestamp()).to_bytes(4, "little"))
    journal = crashed.read_bytes().find(b"\xc0\x3b\x39\x98")
    changed(crashed, journal + 0x20, errno.to_bytes(4, "big", signed=True))
    answer = agent_checks.read(Reading(exit=0, out=json.dumps(table(boot_checks.read(("--", str(crashed)), tmp_path)))))
    assert answer is not None
    (own,) = [each for each in answer.filesystems if str(crashed) in each.seen.devices]
    assert own.superblock.replay
    assert (due(own, now) == "") == (errno == 0)
    done = e2fsck(crashed, now)
    assert ("recovering journal" in done, ": clean," in done) == (True, errno == 0)


def test_a_copy_of_the_superblock_with_other_features_is_seen_on_a_mounted_disk(bench: Bench) -> None:
    now = datetime.now(tz=UTC)
    run("tune2fs", "-T", "now", bench.device)
    assert due(bench.own(), now) == ""
    # In the second of its groups of 8192 blocks of 1 KiB.
    changed(Path(bench.device), (8193 * 1024) + 0x5C, bytes(1))
    before = Path(bench.device).read_bytes()
    assert due(bench.own(), now) == "the copy of its superblock has other features"
    assert Path(bench.device).read_bytes() == before, "it is only read"
    run("umount", bench.mount)
    assert due(bench.own(), now) == "the copy of its superblock has other features"
    assert "primary superblock features different from backup" in e2fsck(bench.device, now)
    assert due(bench.own(), now) == ""


def test_what_has_no_journal_is_not_taken_for_damaged_while_it_is_mounted(bench: Bench) -> None:
    now = datetime.now(tz=UTC)
    run("umount", bench.mount)
    run("mke2fs", "-q", "-F", "-t", "ext2", bench.device)
    run("mount", "-t", "ext4", bench.device, bench.mount)
    assert bench.own().superblock.state == "not clean"
    assert due(bench.own(), now) == ""
    run("umount", bench.mount)
    assert due(bench.own(), now) == ""
    assert ": clean," in e2fsck(bench.device, now)
    changed(Path(bench.device), 1024 + 0x3A, bytes(2))
    assert due(bench.own(), now) == "it is not marked clean"


class Host:
    """Runs the steps of the hook as the runner would: guard, unless, action; the rest when one fails."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.came: dict[str, str] = {}

    def play(self, wishes: list[Insertion], failing: str = "") -> dict[str, str]:
        bad: set[str] = {failing} - {""}
        for wish in wishes:
            step = wish.step
            name = step.id.partition("/")[2]
            if bad and not bad <= set(step.despite):
                continue
            if isinstance(step.unless, Check) and self.holds(step.unless):
                self.came[name] = "not needed"
            elif step.guard and not self.holds(step.guard):
                self.came[name] = "stale"
                bad.add(step.id)
            else:
                assert isinstance(step.action, Command)
                done = self.call(step.action.argv)
                self.came[name] = "done" if done.returncode in step.ok_codes else done.stdout + done.stderr
                if done.returncode not in step.ok_codes:
                    bad.add(step.id)
        return self.came

    def holds(self, check: Check) -> bool:
        answer = json.loads(self.call(check.argv).stdout.splitlines()[-1])
        return bool(answer.get(check.field) == check.value)

    def call(self, argv: Argv) -> subprocess.CompletedProcess[str]:
        words = list(argv)
        if words[0].endswith("/runner-agent"):
            words = [sys.executable, "-c", VERB, words[1], *words[2:]]
            if words[3] == "carry_command":
                words.insert(4, f"--state={self.bench.root / 'state'}")
        elif words[0] == "mount":
            words[1:1] = ["--fstab", str(self.bench.root / "etc/fstab")]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)


def wishes(bench: Bench) -> list[Insertion]:
    disk = Disk(name="usb", host="papio", device=bench.device, mount=str(bench.mount))
    store = Store(name="papio", host="papio", path=str(bench.mount / "store"), disk="usb")
    known = StoreFacts(path=store.path, exists=True)
    now = datetime.now(tz=UTC)
    reading = Reading(exit=0, out=json.dumps(table(boot_checks.read(("--", bench.device), bench.root))))
    host = HostFacts(name="papio", readings={"fsck": reading}, stores={"papio": known})
    facts = Facts(at=now, hosts={"papio": host})
    site = fsck_site(disk, when_due="forward", stores=(store,))
    hook = plugin({"when_due": "forward"})
    reboot = Step(
        id="r/reboot", role=Role.DOWN, job="r", host="papio", action=Command(argv=("reboot",)), effect=Effect.INTERRUPT, why="",
        needs=("power",),
    )  # fmt: skip
    lock = Lock(resource="store papio", host="papio", argv=(), until="r/release-papio")
    job = PlannedJob(name="r", kind="reboot", locks=(lock,))
    return list(hook.add_steps(site, job, (reboot,), facts))


def plan_of(given: list[Insertion]) -> str:
    action = given[0].step.action
    assert isinstance(action, Command)
    return next(word for word in action.argv if word.startswith("--plan="))


@pytest.fixture
def held(bench: Bench) -> Iterator[tuple[list[Insertion], subprocess.Popen[Any]]]:
    """The steps, while the job's own lock on the store is held, as it is when they run."""
    given = wishes(bench)
    argv = (sys.executable, "-c", VERB, "hold", str(bench.mount / "store"), plan_of(given), "--who=me")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert b"true" in holder.stdout.readline()
        yield given, holder
        holder.kill()


Held = tuple[list[Insertion], subprocess.Popen[Any]]


def test_a_due_check_is_made_while_the_host_is_up_and_the_boot_has_nothing_to_do(bench: Bench, held: Held) -> None:
    given, holder = held
    before = bench.own().superblock
    assert tune2fs.will_check(before, datetime.now(tz=UTC)) is not None
    # As up to the reboot; the last one is for after it.
    came = Host(bench).play(given[:-1])
    assert came == {"release-papio": "done", "unmount-usb": "done", "check-usb": "done"}
    assert holder.wait(10) != 0
    assert not bench.mounted()
    after = bench.own().superblock
    assert tune2fs.will_check(after, datetime.now(tz=UTC)) is None
    assert (after.interval, after.mounts) == (before.interval, 0)


def test_without_a_boot_the_disk_is_mounted_again_and_after_one_it_is_left_alone(bench: Bench, held: Held) -> None:
    given, _ = held
    assert Host(bench).play(given[:-1])["check-usb"] == "done"
    # The reboot was refused: only what is meant for that still runs.
    assert Host(bench).play(given[-1:], failing="r/reboot") == {"mount-usb": "done"}
    assert bench.mounted()
    assert Host(bench).play(given[-1:]) == {"mount-usb": "not needed"}


def test_a_disk_that_somebody_uses_stays_and_is_not_checked(bench: Bench, held: Held) -> None:
    given, holder = held
    with (bench.mount / "open").open("wb"):
        came = Host(bench).play(given)
    assert came == {"release-papio": "stale", "mount-usb": "not needed"}
    assert bench.mounted()
    assert holder.poll() is None


def test_a_disk_with_errors_left_is_not_mounted_again(bench: Bench, held: Held) -> None:
    given, _ = held
    # What -p does not mend by itself: a folder whose parent is another.
    (bench.mount / "a").mkdir()
    (bench.mount / "a/b").mkdir()
    host = Host(bench)
    assert host.play(given[:2])["unmount-usb"] == "done"
    run("debugfs", "-w", "-R", "unlink a/b/..", bench.device)
    came = host.play(given[2:])
    assert "UNEXPECTED INCONSISTENCY" in came["check-usb"]
    assert came["mount-usb"] == "stale"
    assert not bench.mounted()


def test_the_users_of_a_disk_are_counted_without_the_lock_of_the_plan_itself(bench: Bench, held: Held) -> None:
    given, holder = held
    check = given[0].step.guard
    assert check is not None
    assert Host(bench).holds(check)
    other = replace(check, argv=tuple("--plan=other" if word.startswith("--plan=") else word for word in check.argv))
    answer = json.loads(Host(bench).call(other.argv).stdout)
    assert answer["users"] == 1
    assert str(holder.pid) in answer["who"][0]
    # Such as a look at the store for another job.
    passing = subprocess.Popen(("sleep", "0.7"), cwd=bench.mount)
    assert Host(bench).holds(check)
    passing.wait()
    (bench.mount / "inner").mkdir()
    run("mount", "-t", "tmpfs", "none", bench.mount / "inner")
    try:
        assert not Host(bench).holds(check)
    finally:
        run("umount", bench.mount / "inner")
