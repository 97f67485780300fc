"""papio reboots itself: the first run after the boot says how it came back, and nothing reboots it again."""

from __future__ import annotations

import re
import subprocess
import time
from datetime import UTC, datetime, timedelta

from tests.lab.site import until
from tests.vm.machine import Machine
from tests.vm.papio import HOME, REBOOT, install
from tests.vm.test_due_check import seconds
from tests.vm.test_machine import mounted

# From the line in the guide to a report, on a machine that is emulated.
REPORTED = 400


def runner(*argv: str) -> tuple[str, ...]:
    return ("sh", "-c", f'cd {HOME} && exec .venv/bin/runner "$@"', "runner", *argv)


def mails(machine: Machine) -> list[tuple[str, str]]:
    """Subject and text of all mails so far."""
    text = machine.run("cat", "/root/mail", check=False).stdout.replace("=\n", "")
    found = re.split(r"(?m)^to: ", text)[1:]
    return [(re.sub(r"\n ", " ", one).partition("Subject: ")[2].partition("\n")[0], one) for one in found]


def boots(machine: Machine) -> int:
    return len(machine.run("journalctl", "--quiet", "--list-boots").stdout.splitlines())


def test_papio_comes_back_from_its_own_reboot_once_and_says_so_once(machine: Machine) -> None:
    install(machine)
    at = datetime.now(UTC) + timedelta(seconds=130)
    said = machine.run(*runner("announce", REBOOT, "--at", f"{at:%Y-%m-%d %H:%M:%S}+00:00"), timeout=120)
    assert "announced: reboot-papio" in said.stdout
    until("the time", lambda: datetime.now(UTC) > at - timedelta(seconds=55), 130)
    before, number = machine.boot_id(), boots(machine)
    argv = machine.ssh(*runner("run", REBOOT, "--yes"))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as person:
        assert person.stdout
        seen = person.stdout.read()
        told = time.time()
    assert "What to do" not in seen, seen
    machine.await_boot(before)
    assert len(mails(machine)) == 1, "the run that ended with the boot tells nothing"

    until("the report", lambda: len(mails(machine)) >= 3, REPORTED)
    reported = time.time()
    time.sleep(20)
    (coming, *rest) = mails(machine)
    assert "papio will be down from" in coming[0]
    (report,) = [one for one in rest if "papio is back" not in one[0]]
    (over,) = [one for one in rest if "papio is back" in one[0]]
    assert "done" in report[0], report
    back = re.search(r"is back after ([0-9a-z ]+);", report[1])
    assert back and "all as before" in report[1], report[1]
    # How long it was away, not how long it took until cron had the runner look.
    assert 5 < seconds(back[1]) < reported - told - 55, f"{back[1]}, and reported after {reported - told} s"
    assert f"It was down for {back[1]}." in over[1]

    assert machine.boot_id() not in ("", before)
    assert boots(machine) == number + 1
    assert mounted(machine)
    again = machine.run("make", "-C", HOME, "run", check=False, timeout=200)
    assert again.returncode == 0, again.stdout + again.stderr
    assert REBOOT not in again.stdout
    assert boots(machine) == number + 1 and machine.boot_id()
