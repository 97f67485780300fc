"""A disk of a test is gone with the test, also when that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.site import until
from tests.powerdisk import REPOSITORY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
POWER = """
from tests.powerdisk import powerdisk
with powerdisk(folder, 8, ("mke2fs", "-q", "-t", "ext3"), "noatime") as disk:
    (disk.mount / "file").write_bytes(bytes(1 << 20))
    print("ready", flush=True)
    sys.stdin.read()
"""
OTHERS = """
from tests.mounts import attached, own_namespace
own_namespace()
(folder / "image").write_bytes(bytes(8 << 20))
subprocess.run(("mke2fs", "-q", "-t", "ext3", folder / "image"), check=True)
(folder / "mount").mkdir()
with attached(folder / "image") as device:
    subprocess.run(("mount", device, folder / "mount"), check=True)
    subprocess.run(("mount", "-t", "tmpfs", "tmpfs", folder), check=True)
    print("ready", flush=True)
    sys.stdin.read()
"""


def mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


def loops() -> str:
    return subprocess.run(("losetup", "--list"), check=True, capture_output=True, text=True).stdout


def started(program: str, folder: Path) -> subprocess.Popen[bytes]:
    text = f"import subprocess, sys\nfrom pathlib import Path\nfolder = Path(sys.argv[1])\n{program}"
    argv = (sys.executable, "-B", "-c", text, folder)
    return subprocess.Popen(
        argv, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )  # fmt: skip


@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGINT, 0])
def test_a_power_disk_is_unmounted_however_its_test_ends(tmp_path: Path, killed: int) -> None:
    with started(POWER, tmp_path) as process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        assert mounts().count(f" {tmp_path}/") == 2 and f"{tmp_path}/" in loops()
        # As a terminal does it: all of its processes get the signal.
        os.killpg(process.pid, killed)
    until(lambda: f" {tmp_path}/" not in mounts() and f"{tmp_path}/" not in loops())


def test_what_a_test_mounted_is_nobody_elses_and_is_gone_when_it_is_killed(tmp_path: Path) -> None:
    with started(OTHERS, tmp_path) as process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        assert str(tmp_path) in loops() and str(tmp_path) not in mounts()
        process.kill()
    until(lambda: str(tmp_path) not in loops())


def test_whose_server_was_killed_with_it_is_no_mount_of_a_later_test(tmp_path: Path) -> None:
    with started(POWER, tmp_path) as process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        (server,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(server), signal.SIGKILL)
        process.kill()
    served = tmp_path / "served"
    try:
        # Which of them hangs on whether the kernel has heard of its end already.
        with pytest.raises(OSError, match="not connected|connection abort"):
            list(served.iterdir())
        look = "from tests.mounts import own_namespace; own_namespace(); import os, sys; print(os.listdir(sys.argv[1]))"
        later = subprocess.run(
            (sys.executable, "-B", "-c", look, served), cwd=REPOSITORY, check=True, capture_output=True, text=True
        )  # fmt: skip
        assert later.stdout == "[]\n"
    finally:
        subprocess.run(("umount", "--lazy", tmp_path / "disk", served), check=True)
