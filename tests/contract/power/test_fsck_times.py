"""How long checks took, out of a real journal, and out of lines that nobody should believe."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.agent import clock
from runner.agent.power import check_times
from runner.agent.power.check_times import STARTED, STARTING, parse
from tests.mounts import attached

ROOT = Path(__file__).parents[3]
JOURNALD = Path("/lib/systemd/systemd-journald")
UNIT = r"systemd-fsck@dev-disk-by\x2dlabel-papio.service"
UUID = "0a4f3c1e-5b1e-4c52-9d0c-0d8f5c1f7a55"
# What plays PID 1 in a namespace of its own: only of PID 1 does the journal believe what it says of units.
PLAYED = """
import json, os, socket, subprocess, sys, time
for kind, place in (("tmpfs", "/run"), ("proc", "/proc"), ("tmpfs", "/var/log")):
    subprocess.run(("mount", "-t", kind, kind, place), check=True)
os.makedirs("/run/systemd/journal")
journald = subprocess.Popen(("/lib/systemd/systemd-journald",))
door = "/run/systemd/journal/socket"
end = time.monotonic() + 10
while not os.path.exists(door) and time.monotonic() < end:
    time.sleep(0.05)
way = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

def say(pid1, message, **more):
    told = {"MESSAGE": message, "PRIORITY": "6", "SYSLOG_IDENTIFIER": "systemd", **more}
    data = "".join(f"{key}={value}\\n" for key, value in told.items())
    if pid1:
        way.sendto(data.encode(), door)
    else:
        send = "import socket,sys; socket.socket(1, 2).sendto(sys.argv[1].encode(), sys.argv[2])"
        subprocess.run((sys.executable, "-c", send, data, door), check=True)

from runner.agent.answer import table
from runner.agent.power import check_times
unit = sys.argv[1]
say(True, "Starting", MESSAGE_ID=check_times.STARTING, UNIT=unit)
time.sleep(0.7)
say(False, "Finished", MESSAGE_ID=check_times.STARTED, UNIT=unit)
time.sleep(0.6)
say(True, "Finished", MESSAGE_ID=check_times.STARTED, UNIT=unit)
end = time.monotonic() + 10
while not check_times.times() and time.monotonic() < end:
    time.sleep(0.1)
print(json.dumps(table(check_times.times())))
journald.kill()
"""


# Two boot checks: of a disk that is due, and of one that is not.
CHECKED = (
    PLAYED.partition("unit = sys.argv[1]")[0]
    + """
for device, unit in zip(sys.argv[1::2], sys.argv[2::2]):
    say(True, "Starting", MESSAGE_ID=check_times.STARTING, UNIT=unit)
    time.sleep(0.5)
    subprocess.run(("e2fsck", "-p", device), stdout=subprocess.DEVNULL)
    say(True, "Finished", MESSAGE_ID=check_times.STARTED, UNIT=unit)
subprocess.run(("mount", sys.argv[1], "/var/log"), check=True)
end = time.monotonic() + 10
while len(check_times.times("--boot") or ()) < 2 and time.monotonic() < end:
    time.sleep(0.1)
print(json.dumps([[one.device for one in check_times.times() or ()], table(check_times.whole())]))
journald.kill()
"""
)


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[list[str]]:
    """Two loop devices with an ext3 of which only the first is due."""
    with contextlib.ExitStack() as stack:
        found = []
        for name, last in (("due", "20260101"), ("not-due", f"{datetime.now(UTC) - timedelta(days=10):%Y%m%d}")):
            image = tmp_path / name
            subprocess.run(("mke2fs", "-q", "-t", "ext3", "-U", UUID, str(image), "16M"), check=True)
            subprocess.run(("tune2fs", "-i", "120d", "-T", last, str(image)), check=True, capture_output=True)
            found.append(stack.enter_context(attached(image)))
        yield found


@pytest.mark.skipif(os.geteuid() != 0 or not JOURNALD.exists(), reason="needs root and systemd's journal")
def test_only_the_whole_check_of_this_boot_is_told_with_where_its_disk_is_mounted(disks: list[str]) -> None:
    units = [f"systemd-fsck@{one[1:].replace('/', '-')}.service" for one in disks]
    words = [word for pair in zip(disks, units, strict=True) for word in pair]
    argv = ("unshare", "--pid", "--fork", "--mount", "--propagation", "private", sys.executable, "-c", CHECKED)
    done = subprocess.run((*argv, *words), capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    if "unshare failed" in done.stderr:
        pytest.skip("this machine makes no namespaces")
    assert done.returncode == 0, done.stderr
    looked, (only,) = json.loads(done.stdout.splitlines()[-1])
    assert looked == disks[::-1], "both units ran, and only one of them checked"
    assert (only["device"], only["mount"], only["uuid"]) == (disks[0], "/var/log", UUID)
    assert 0.5 <= only["seconds"] < 5


@pytest.mark.skipif(os.geteuid() != 0 or not JOURNALD.exists(), reason="needs root and systemd's journal")
def test_a_real_journal_tells_how_long_a_unit_took_and_is_not_fooled_by_another_process() -> None:
    argv = ("unshare", "--pid", "--fork", "--mount", "--propagation", "private", sys.executable, "-c", PLAYED, UNIT)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    if "unshare failed" in done.stderr:
        pytest.skip("this machine makes no namespaces")
    assert done.returncode == 0, done.stderr
    (only,) = json.loads(done.stdout.splitlines()[-1])
    assert only["device"] == "/dev/disk/by-label/papio"
    assert 1.2 < only["seconds"] < 5


def line(seconds: float, **changes: str) -> str:
    """A line of the journal by PID 1, so many seconds after a boot at noon."""
    values = {
        "_PID": "1", "_UID": "0", "_BOOT_ID": "a", "UNIT": UNIT, "__MONOTONIC_TIMESTAMP": f"{round(seconds * 1e6)}",
        "__REALTIME_TIMESTAMP": f"{1_795_435_200_000_000 + round(seconds * 1e6)}",
    }  # fmt: skip
    return json.dumps({**values, **changes})


def result(seconds: float, message: str, **changes: str) -> str:
    """What e2fsck printed, as systemd-fsck hands it on."""
    return line(seconds, _PID="222", _SYSTEMD_UNIT=UNIT, MESSAGE=message, **changes)


def newest_first(*lines: str) -> str:
    return "\n".join(reversed(lines)) + "\n"


COUNTS = "papio: 106017/1048576 files (0.0% non-contiguous), 190093/1048576 blocks"
BEGUN, ENDED = line(11.379457, MESSAGE_ID=STARTING), line(20.403260, MESSAGE_ID=STARTED)


def test_what_e2fsck_counted_goes_with_the_time() -> None:
    text = newest_first(BEGUN, result(11.9, "papio has gone 326 days, check forced."), result(20.1, COUNTS), ENDED)
    (only,) = parse(text)
    assert (only.inodes, only.blocks) == (106017, 190093)
    assert (round(only.seconds, 3), only.started) == (9.024, clock.moment("2026-11-23T12:00:11.379457Z"))


def test_the_clock_that_nobody_sets_is_what_counts() -> None:
    jumped = line(20.403260, MESSAGE_ID=STARTED, __REALTIME_TIMESTAMP="1895435200000000")
    (only,) = parse(newest_first(BEGUN, jumped))
    assert round(only.seconds, 3) == 9.024


def test_boots_and_units_are_kept_apart_and_newest_comes_first() -> None:
    other = r"systemd-fsck@dev-sdb1.service"
    found = parse(newest_first(
        BEGUN, line(12, MESSAGE_ID=STARTING, UNIT=other), line(13, MESSAGE_ID=STARTED, UNIT=other), ENDED,
        line(5, MESSAGE_ID=STARTING, _BOOT_ID="b"), line(7, MESSAGE_ID=STARTED, _BOOT_ID="b"),
    ))  # fmt: skip
    assert [(one.device, round(one.seconds)) for one in found] == [
        ("/dev/disk/by-label/papio", 2), ("/dev/disk/by-label/papio", 9), ("/dev/sdb1", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-- No entries --\n",
        '{"_PID": "1"',
        "[1, 2]\n",
        newest_first(ENDED),
        newest_first(BEGUN),
        # A check that failed, and so came to no end, is no measure.
        newest_first(BEGUN, line(20, MESSAGE_ID="be02cf6855d2428ba40df7e9d022f03d")),
        newest_first(BEGUN, line(20, MESSAGE_ID=STARTED, _PID="4711")),
        newest_first(BEGUN, line(20, MESSAGE_ID=STARTED, _BOOT_ID="b")),
    ],
)
def test_lines_without_a_whole_check_tell_of_none(text: str) -> None:
    assert parse(text) == ()


@pytest.mark.parametrize(
    "message",
    ["papio: clean, 11/65536 files, 26752/262144 blocks", f"{COUNTS} more", "1/2 files", "x" * 3000, ": 9/9 files"],
)
def test_words_that_only_look_like_counts_count_nothing(message: str) -> None:
    (only,) = parse(newest_first(BEGUN, result(20, message), ENDED))
    assert (only.inodes, only.blocks) == (None, None)


@pytest.mark.parametrize(
    ("unit", "device"),
    [
        ("systemd-fsck-root.service", ""),
        ("systemd-fsck@dev-sdb1.service", "/dev/sdb1"),
        (r"systemd-fsck@dev-disk-by\x2duuid-1234\x2dabcd.service", "/dev/disk/by-uuid/1234-abcd"),
        (r"systemd-fsck@dev-disk-by\x2dlabel-\xc3\xa4.service", "/dev/disk/by-label/ä"),
    ],
)
def test_a_units_name_is_its_device(unit: str, device: str) -> None:
    assert check_times.device(unit) == device
