"""The lab itself: what other tests take for granted of its machines."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest

from tests.lab.images import ADDRESS, BACKUP, PAPIO, STORE
from tests.lab.machines import CHECKOUT, Lab, loops
from tests.soak import few

SSH = ("ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=3")
LEAVE_A_LAB = """
import sys, time
from tests.lab.machines import Lab
with Lab() as lab:
    print(lab.folder, flush=True)
    time.sleep(60)
"""


def images_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.img"))


def processes_of(folder: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if folder.encode() in text:
            found.append(text.decode(errors="replace"))
    return found


def test_papio_reaches_the_backup_server_as_root_without_a_question(lab: Lab) -> None:
    for name in (BACKUP, ADDRESS[BACKUP]):
        assert lab.run(PAPIO, *SSH, name, "hostname; id -u").stdout == f"{BACKUP}\n0\n"


def test_the_backup_server_has_no_key_for_papio(lab: Lab) -> None:
    lenient = ("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
    denied = lab.run(BACKUP, "ssh", *lenient, PAPIO, "true", check=False)
    assert denied.returncode == 255
    assert "Permission denied" in denied.stderr


def test_the_disk_is_an_ext3_of_its_own_with_times_in_nanoseconds(lab: Lab) -> None:
    shown = lab.run(BACKUP, "findmnt", "-n", "-o", "FSTYPE,TARGET", "--target", STORE).stdout.split()
    assert shown == ["ext3", STORE]
    file = lab.path(BACKUP, f"{STORE}/probe")
    file.touch()
    os.utime(file, ns=(0, 1_600_000_000_123_456_789))
    assert file.stat().st_mtime_ns == 1_600_000_000_123_456_789
    assert file.stat().st_dev != lab.path(BACKUP, "/srv").stat().st_dev
    file.unlink()


def test_a_name_has_another_number_on_the_other_host(lab: Lab) -> None:
    numbers = [lab.run(host, "id", "-u", "karl").stdout for host in (PAPIO, BACKUP)]
    assert numbers == ["1000\n", "1500\n"]


def test_the_checkout_and_its_python_are_on_both_hosts_and_cannot_be_written(lab: Lab) -> None:
    for host in ADDRESS:
        code = "import runner.model.plan, msgspec, sys; print(sys.prefix)"
        said = lab.run(host, "env", "-C", str(CHECKOUT), lab.python, "-c", code).stdout
        assert said == f"{sys.prefix}\n"
        refused = lab.run(host, "touch", str(CHECKOUT / "written"), check=False)
        assert "Read-only file system" in refused.stderr


def test_hosts_do_not_see_each_other_s_files_or_processes_nor_a_way_out(lab: Lab) -> None:
    lab.path(PAPIO, "/srv/only here").touch()
    assert not lab.path(BACKUP, "/srv/only here").exists()
    assert not Path("/srv/only here").exists()
    assert len(lab.run(PAPIO, "ps", "-e", "-o", "pid=").stdout.split()) < 10
    assert lab.run(PAPIO, "ip", "route").stdout.split()[:3] == ["192.168.199.0/24", "dev", "eth0"]
    assert lab.run(PAPIO, "ip", "route", "get", "198.51.100.1", check=False).returncode != 0


def test_input_output_and_exit_code_pass_through_unchanged(lab: Lab) -> None:
    assert lab.run(PAPIO, "cat", input="a\nb").stdout == "a\nb"
    assert lab.run(PAPIO, "printf", "%s|", "two words", "$(id)", "-n").stdout == "two words|$(id)|-n|"
    assert lab.run(PAPIO, "sh", "-c", "printf '\\377'; exit 7", check=False).returncode == 7
    assert lab.run(PAPIO, "printf", "\\377").stdout == "\udcff"
    with pytest.raises(AssertionError, match="exit 2\n.*No such file"):
        lab.run(PAPIO, "ls", "/nowhere")


def test_a_command_that_hangs_is_gone_after_its_time_out(lab: Lab) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        lab.run(PAPIO, "sh", "-c", "sleep 4242; true", timeout=0.3)
    assert "4242" not in lab.run(PAPIO, "ps", "-e", "-o", "args=").stdout


def test_a_signal_reaches_the_command_itself(lab: Lab) -> None:
    loop = "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    process = lab.popen(PAPIO, "sh", "-c", loop)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("caught\n", 3)
    process = lab.popen(PAPIO, "sleep", "60")
    time.sleep(0.2)
    process.kill()
    process.communicate(timeout=30)
    assert process.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


def test_a_pulled_cable_cuts_the_hosts_apart_and_heals(lab: Lab) -> None:
    knock = ("bash", "-c", f": < /dev/tcp/{BACKUP}/22")
    assert lab.run(PAPIO, *knock, timeout=30).returncode == 0
    lab.link("down")
    try:
        assert lab.run(PAPIO, "timeout", "1", *knock, check=False).returncode == 124
        assert "LOWER_UP" in lab.run(PAPIO, "ip", "link", "show", "eth0").stdout
    finally:
        lab.link("up")
    assert lab.run(PAPIO, *knock, timeout=30).returncode == 0


def test_the_disk_can_be_absent(lab: Lab) -> None:
    lab.disk("umount")
    assert lab.run(BACKUP, "findmnt", STORE, check=False).returncode == 1
    lab.disk("mount")
    assert lab.run(BACKUP, "findmnt", STORE).returncode == 0


@pytest.mark.soak
def test_a_disk_that_fails_can_be_read_but_not_written(fresh_lab: Lab) -> None:
    fresh_lab.run(BACKUP, "touch", f"{STORE}/before")
    fresh_lab.disk("readonly")
    assert fresh_lab.run(BACKUP, "ls", f"{STORE}/before").returncode == 0
    refused = fresh_lab.run(BACKUP, "touch", f"{STORE}/after", check=False)
    assert "Read-only file system" in refused.stderr
    fresh_lab.disk("umount")
    fresh_lab.disk("mount")
    assert fresh_lab.run(BACKUP, "touch", f"{STORE}/after").returncode == 0


@pytest.mark.soak
def test_a_crash_is_silent_and_a_boot_finds_what_was_on_the_disks(fresh_lab: Lab) -> None:
    lab = fresh_lab
    marks = f"echo kept | tee /srv/root {STORE}/disk > /run/gone; sync"
    lab.run(BACKUP, "sh", "-c", marks)
    alive = ("-o", "ServerAliveInterval=3", "-o", "ServerAliveCountMax=2")
    talking = lab.popen(PAPIO, *SSH, *alive, BACKUP, "sleep 60")
    time.sleep(0.5)
    lab.crash(BACKUP)
    time.sleep(0.5)
    assert talking.poll() is None, "the dead host said goodbye"
    _, said = talking.communicate(timeout=30)
    assert "not responding" in said
    lab.boot(BACKUP)
    kept = lab.run(PAPIO, *SSH, BACKUP, f"cat /srv/root {STORE}/disk; test ! -e /run/gone").stdout
    assert kept == "kept\nkept\n"


@pytest.mark.soak
def test_papio_can_crash_and_boot_as_well(fresh_lab: Lab) -> None:
    fresh_lab.run(PAPIO, "sh", "-c", "echo kept > /srv/file; sync")
    fresh_lab.crash(PAPIO)
    fresh_lab.boot(PAPIO)
    assert fresh_lab.run(PAPIO, "cat", "/srv/file").stdout == "kept\n"
    assert fresh_lab.run(PAPIO, *SSH, BACKUP, "hostname").stdout == f"{BACKUP}\n"


@pytest.mark.alone
def test_two_labs_run_side_by_side_and_leave_nothing_behind(lab: Lab) -> None:
    start = time.monotonic()
    with Lab() as other:
        assert time.monotonic() - start < 4
        other.path(PAPIO, "/srv/theirs").touch()
        assert not lab.path(PAPIO, "/srv/theirs").exists()
        other.popen(PAPIO, "sleep", "4343")
        devices = loops(images_of(other.folder))
        assert len(devices) == 3
    assert processes_of(str(other.folder)) == processes_of("sleep\0004343") == []
    assert not other.folder.exists()


@pytest.mark.parametrize("end", few([signal.SIGINT, signal.SIGTERM, signal.SIGKILL], signal.SIGINT))
def test_a_lab_ends_with_its_test_run_however_that_ends(end: signal.Signals) -> None:
    argv = (sys.executable, "-c", LEAVE_A_LAB)
    with subprocess.Popen(argv, cwd=CHECKOUT, stdout=PIPE, stderr=DEVNULL, text=True) as run:
        assert run.stdout is not None
        folder = Path(run.stdout.readline().strip())
        images = images_of(folder)
        found = loops(images)
        run.send_signal(end)
    assert len(found) == 3
    deadline = time.monotonic() + 5
    while (loops(images) or processes_of(str(folder))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert loops(images) == processes_of(str(folder)) == []
    assert end != signal.SIGINT or not folder.exists()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_lab_that_does_not_come_up_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    faulty = Lab(binds=(tmp_path / "missing",))
    with pytest.raises(RuntimeError, match="papio did not start: mount: .*missing"), faulty:
        pass
    assert not faulty.folder.exists()
    assert processes_of(str(faulty.folder)) == []
