"""What a machine really does when it reboots, halts, loses its disk or its power: what the kinds rest on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.contract.site import REPOSITORY
from tests.lab.site import until
from tests.vm.machine import BY_ID, Machine
from tests.vm.mishaps import break_disk, inhibited, make_due, panic_at_boot
from tests.vm.recipe import STORE

HOLDER = """
import os, sys, time
from tests.vm.machine import Machine
machine = Machine().__enter__()
print(machine._process.pid, machine.folder, flush=True)
time.sleep(600)
"""


def mounted(machine: Machine) -> bool:
    return machine.run("findmnt", "--noheadings", STORE, check=False).returncode == 0


def test_it_is_up_within_seconds_with_its_disk_and_the_right_time(machine: Machine) -> None:
    assert machine.on
    assert len(machine.boot_id()) == 36
    assert machine.await_settled() == "running"
    assert mounted(machine)
    assert abs(float(machine.run("date", "+%s").stdout) - time.time()) < 5


def test_it_dies_with_the_process_that_started_it() -> None:
    process = subprocess.Popen((sys.executable, "-c", HOLDER), cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        pid, folder = process.stdout.readline().split()
        assert "qemu" in Path(f"/proc/{pid}/comm").read_text()
        os.kill(process.pid, signal.SIGKILL)
    shutil.rmtree(folder)
    # A zombie that its new parent has not reaped yet has no command line.
    place = Path(f"/proc/{pid}")
    until("qemu to end", lambda: not place.exists() or not (place / "cmdline").read_bytes())


def test_what_was_synced_outlives_a_pulled_plug_and_needs_no_check(machine: Machine) -> None:
    before = machine.boot_id()
    machine.run("sh", "-c", f"echo kept > {STORE}/file; sync -f {STORE}")
    machine.pull_plug()
    assert not machine.on
    machine.press_button()
    machine.await_boot(before)
    assert machine.await_settled() == "running"
    assert machine.run("cat", f"{STORE}/file").stdout == "kept\n"
    said = machine.run("journalctl", "-b", "-o", "cat", "-u", "systemd-fsck@*").stdout
    assert "recovering journal" in said
    assert "check forced" not in said


def test_halt_leaves_the_power_on_and_poweroff_does_not(machine: Machine) -> None:
    machine.run("systemctl", "halt", check=False)
    until("its last word", lambda: "System halted" in machine.console, 90)
    assert machine.on
    assert not machine.answers()
    machine.pull_plug()
    machine.press_button()
    machine.await_boot()
    machine.run("systemctl", "poweroff", check=False)
    machine.await_off()


def test_a_reboot_that_somebody_inhibits_is_refused_only_where_it_is_asked_to_heed_it(machine: Machine) -> None:
    before = machine.boot_id()
    with inhibited(machine, "a long computation"):
        refused = machine.run("systemctl", "reboot", "--check-inhibitors=yes", check=False)
        assert refused.returncode == 1
        assert "karl" in refused.stderr and "a long computation" in refused.stderr
        assert machine.boot_id() == before
        machine.run("systemctl", "reboot", check=False)
        machine.await_boot(before)


def test_with_nofail_it_answers_while_the_check_runs_and_the_disk_is_not_there(machine: Machine) -> None:
    make_due(machine)
    before = machine.boot_id()
    machine.slow_disk(12)
    machine.run("systemctl", "reboot", check=False)
    machine.await_boot(before)
    assert not mounted(machine)
    assert machine.run("pgrep", "-x", "fsck.ext3|e2fsck", check=False).stdout
    assert machine.run("systemctl", "is-system-running", check=False).stdout == "starting\n"
    assert machine.await_settled() == "running"
    assert mounted(machine)
    assert "check forced" in machine.run("journalctl", "-b", "-o", "cat", "-u", "systemd-fsck@*").stdout


def test_a_check_that_fails_leaves_it_degraded_and_without_the_disk(machine: Machine) -> None:
    break_disk(machine)
    before = machine.boot_id()
    machine.run("systemctl", "reboot", check=False)
    machine.await_boot(before)
    assert machine.await_settled() == "degraded"
    assert not mounted(machine)
    assert "systemd-fsck@" in machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout


def test_a_disk_that_is_gone_after_the_boot_degrades_nothing(machine: Machine) -> None:
    before = machine.boot_id()
    machine.hold_reboot()
    machine.run("systemctl", "reboot", check=False)
    machine.await_held()
    machine.take_disk()
    machine.go_on()
    machine.await_boot(before)
    assert machine.await_settled() == "running"
    assert not mounted(machine)
    assert machine.run("test", "-e", BY_ID, check=False).returncode == 1


def test_a_panic_at_boot_leaves_it_on_and_silent(machine: Machine) -> None:
    panic_at_boot(machine)
    machine.run("systemctl", "reboot", check=False)
    until("the panic", lambda: "Kernel panic" in machine.console, 120)
    assert machine.on
    assert not machine.answers()
    assert machine.boot_id() == ""


def test_a_power_failure_during_the_reboot_leaves_it_off(machine: Machine) -> None:
    machine.stay_off_after()
    machine.run("systemctl", "reboot", check=False)
    machine.await_off()
    machine.press_button()
    assert machine.await_boot()
