"""A backup disk on backup-server1, from a blank device to a mounted store, by papio over ssh."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import Lab
from tests.lab.site import FILE, JOBS, STATE, Runner
from tests.mounts import borrowed
from tests.soak import few

MOUNT, PLAN, IMAGE = "/srv/backups/second disk", "/root/plan.toml", "/mnt/usb/second.img"
MORE = """
[disks.second]
host = "backup-server1"
device = "{device}"
mount = "{mount}"
fsck_every = "120d"
[stores.second]
host = "backup-server1"
path = "{mount}"
disk = "second"
retention = {{ min = 1, max = 3 }}
[jobs.disk-second]
kind = "disk"
disk = "second"
[jobs.copy-data-away]
kind = "snapshot"
host = "papio"
store = "second"
filesystems = ["/"]
"""


@pytest.fixture
def runner(lab: Lab) -> Iterator[Runner]:
    made = Runner(lab=lab)
    lab.run(PAPIO, "mkdir", "-p", "/etc/runner")
    # Each test has a disk of its own under one name, and nobody has seen another.
    lab.run(PAPIO, "rm", "-f", f"{STATE}/journal.sqlite")
    lab.run(BACKUP, "truncate", "--size=128M", IMAGE)
    device = lab.run(BACKUP, "losetup", "--find", "--show", IMAGE).stdout.strip()
    fstab = lab.path(BACKUP, "/etc/fstab").read_bytes()
    made.path(PAPIO, FILE).write_text(JOBS + MORE.format(device=device, mount=MOUNT))
    made.settle_mail()
    with borrowed(device):
        yield made
        lab.run(BACKUP, "umount", MOUNT, check=False)
    lab.run(BACKUP, "rm", IMAGE)
    lab.run(BACKUP, "chattr", "-i", MOUNT, check=False)
    lab.run(BACKUP, "rmdir", MOUNT, check=False)
    lab.path(BACKUP, "/etc/fstab").write_bytes(fstab)


def device_of(runner: Runner) -> str:
    disks = tomllib.loads(runner.path(PAPIO, FILE).read_text())["disks"]
    return str(disks["second"]["device"])


def planned(runner: Runner) -> list[str]:
    """Plan the disk to a file; the steps of its job."""
    runner.lab.run(PAPIO, "rm", "-f", PLAN)
    runner.good("plan", "disk-second", "--out", PLAN)
    path = runner.path(PAPIO, PLAN)
    plan = tomllib.loads(path.read_text()) if path.exists() else {}
    steps = [step["id"].partition("/") for step in plan.get("steps", ())]
    return [name for job, _, name in steps if job == "disk-second"]


def made(runner: Runner) -> str:
    """Make the disk; what was said of it."""
    assert planned(runner)[0] == "format"
    return runner.good("apply", PLAN).said


def test_a_blank_device_becomes_a_mounted_store_that_takes_a_snapshot(runner: Runner) -> None:
    device, lab = device_of(runner), runner.lab
    refused = runner.run("run", "disk-second", "--yes")
    assert refused.code == 4, refused.said
    assert "destroy" in refused.said
    assert lab.run(BACKUP, "wipefs", "--no-act", device).stdout == "", "a run that nobody reviewed wrote"

    shown = runner.good("plan", "disk-second", "--commands").said
    assert "mke2fs -q -t ext3 -b 4096 -i 4096 -I 256 -m 1 -e remount-ro -L second" in " ".join(
        shown.replace("\\\n", " ").split()
    )
    runner.mail()
    said = made(runner)
    uuid = lab.run(BACKUP, "blkid", "-p", "-o", "value", "-s", "UUID", device).stdout.strip()
    for told in (said, runner.mail()):
        assert f'write uuid = "{uuid}"' in " ".join(told.split())
    line = f"UUID={uuid} {MOUNT.replace(' ', chr(92) + '040')} ext3 noatime,nodev,nosuid,nofail 0 2"
    assert lab.path(BACKUP, "/etc/fstab").read_text().splitlines()[-1] == line
    mounted = lab.run(BACKUP, "findmnt", "-n", "-o", "FSTYPE,OPTIONS", MOUNT).stdout.split()
    assert mounted[0] == "ext3"
    assert {"noatime", "nodev", "nosuid"} <= set(mounted[1].split(","))
    about = lab.run(BACKUP, "tune2fs", "-l", device).stdout
    assert "Check interval:           10368000" in about
    assert "Maximum mount count:      -1" in about
    marker = lab.path(BACKUP, f"{MOUNT}/.runner/disk.json")
    assert json.loads(marker.read_text())["uuid"] == uuid

    again = runner.good("plan", "disk-second").said
    assert "as declared" in again
    assert "Nothing to do." in again
    assert planned(runner) == []

    runner.good("run", "copy-data-away")
    assert list(Path(lab.path(BACKUP, MOUNT)).glob("*Z/etc/runner/jobs.toml"))


def test_one_drifted_setting_is_put_right_by_a_run_that_nobody_watches(runner: Runner) -> None:
    made(runner)
    device, lab = device_of(runner), runner.lab
    lab.run(BACKUP, "tune2fs", "-i", "0", device)
    assert planned(runner) == ["interval"]
    runner.good("run", "disk-second")
    assert "Check interval:           10368000" in lab.run(BACKUP, "tune2fs", "-l", device).stdout

    lab.run(BACKUP, "tune2fs", "-L", "other", device)
    lab.run(BACKUP, "sed", "-i", "$s/,nofail/,commit=30/", "/etc/fstab")
    assert planned(runner) == ["label", "fstab"]
    runner.good("apply", PLAN)
    last = lab.path(BACKUP, "/etc/fstab").read_text().splitlines()[-1]
    assert last.split()[3] == "noatime,nodev,nosuid,nofail,commit=30"
    assert planned(runner) == []

    lab.run(BACKUP, "umount", MOUNT)
    assert planned(runner) == ["mount", "mounted", "identity-second"]
    runner.good("run", "disk-second")
    assert planned(runner) == []


def test_nothing_is_written_to_the_mount_point_while_the_disk_is_away(runner: Runner) -> None:
    made(runner)
    lab = runner.lab
    lab.run(BACKUP, "umount", MOUNT)
    lab.run(PAPIO, "mkdir", "-p", "/srv/few")
    lab.path(PAPIO, "/srv/few/file").write_text("x")
    sent = lab.run(PAPIO, "rsync", "-a", "/srv/few/", f"{BACKUP}:{MOUNT}/day/", check=False)
    # What a receiver says as it dies may be lost on the way; how it ends, and what the kernel says, is not.
    assert sent.returncode in (11, 12)
    refused = lab.run(BACKUP, "mkdir", f"{MOUNT}/day", check=False)
    assert "Operation not permitted" in refused.stderr
    skipped = runner.run("run", "copy-data-away")
    assert skipped.code == 3, skipped.said
    assert list(lab.path(BACKUP, MOUNT).iterdir()) == []


@pytest.mark.parametrize("kind", few(["ext4", "swap", "luks"], "ext4"))
def test_a_device_with_a_signature_is_refused_whatever_is_asked(kind: str, runner: Runner) -> None:
    device, lab = device_of(runner), runner.lab
    assert planned(runner)[0] == "format"
    write = {
        "ext4": ("mke2fs", "-q", "-t", "ext4", "-L", "photos", device),
        "swap": ("mkswap", device),
        "luks": ("sh", "-c", f"printf 'LUKS\\272\\276\\000\\001' | dd of={device} conv=notrunc status=none"),
    }
    lab.run(BACKUP, *write[kind])
    before = lab.run(BACKUP, "sha256sum", device).stdout
    stale = runner.run("apply", PLAN)
    assert stale.code != 0
    assert "holds" in stale.said or "not blank" in stale.said
    for verb in (("run", "disk-second", "--yes"), ("run", "disk-second")):
        refused = runner.run(*verb)
        assert refused.code == 4, refused.said
        assert f"wipefs --all -- {device}" in refused.said
    assert lab.run(BACKUP, "sha256sum", device).stdout == before
    assert not lab.path(BACKUP, MOUNT).exists()


def test_what_was_cut_off_after_the_format_is_taken_up_without_another(runner: Runner) -> None:
    lab = runner.lab
    assert planned(runner)[0] == "format"
    place = MOUNT.replace(" ", "\\040")
    with lab.path(BACKUP, "/etc/fstab").open("a") as file:
        file.write(f"LABEL=second {place} ext3 noauto 0 0\n")
    cut = runner.run("apply", PLAN)
    assert cut.code == 5, cut.said
    assert "stale at fstab: fstab_lines is 1" in cut.said
    uuid = lab.run(BACKUP, "blkid", "-p", "-o", "value", "-s", "UUID", device_of(runner)).stdout
    assert planned(runner) == ["fstab", "mount", "mounted", "identity-second"]
    runner.good("apply", PLAN)
    assert lab.path(BACKUP, "/etc/fstab").read_text().count(place) == 1
    assert lab.run(BACKUP, "blkid", "-p", "-o", "value", "-s", "UUID", device_of(runner)).stdout == uuid
    assert planned(runner) == []
