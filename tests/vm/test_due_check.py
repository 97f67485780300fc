"""A disk whose check is due: the plan foretells it, the reboot runs it, the wait outlasts it, the message tells."""

from __future__ import annotations

import re

from tests.vm.machine import Machine
from tests.vm.mishaps import make_due
from tests.vm.site import REBOOT, Site
from tests.vm.test_machine import mounted

UNIT = r"systemd-fsck@dev-disk-by\x2dlabel-papio.service"
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """A duration as people are told it."""
    words = text.split()
    return sum(float(number) * SECONDS[unit] for number, unit in zip(words[::2], words[1::2], strict=True))


def checked(machine: Machine) -> float:
    """How many seconds the check of the backup disk took in this boot, as systemd saw it."""
    names = [f"--property=ExecMain{one}TimestampMonotonic" for one in ("Start", "Exit")]
    began, ended = machine.run("systemctl", "show", "--value", *names, "--", UNIT).stdout.split()
    return abs(int(ended) - int(began)) / 1e6


def test_a_check_that_is_due_is_foretold_run_outlasted_and_told(site: Site) -> None:
    machine = site.machine
    make_due(machine)
    machine.slow_disk(12)
    before = machine.boot_id()
    plan, shown = site.plan(REBOOT)
    (finding,) = [one for one in plan["findings"] if "the next boot checks disk papio-snapshots" in one["text"]]
    told = finding["text"]
    assert finding["severity"] == "note", "the plan sees to it itself"
    assert "2026-01-01" in told and "every 120 days" in told, shown
    span = re.search(r"takes ([0-9.a-z ]+) to ([0-9.a-z ]+) \(", told)
    assert span, told

    ran = site.run("apply", str(site.folder / "plan.toml"))
    assert ran.code == 0, ran.said
    assert "What to do" not in ran.said
    assert machine.boot_id() not in ("", before)
    assert mounted(machine)
    assert "check forced" in machine.run("journalctl", "-b", "-o", "cat", "-u", UNIT).stdout
    took = checked(machine)
    assert took > 15, "it read 256 MiB at 12 MB a second"
    assert seconds(span[1]) <= took <= seconds(span[2]), f"{took} s, and foretold was: {told}"

    back = re.search(r"is back after ([0-9a-z ]+)[;,]", ran.said)
    assert back, ran.said
    over = re.search(r"its boot was over after ([0-9a-z ]+)", ran.said)
    assert over and seconds(over[1]) > took, "the wait outlasted the check"
    mail = site.mail().replace("=\n", "")
    assert f"is back after {back[1]}" in mail
    lasted = re.search(r"disk papio-snapshots was checked in ([0-9.a-z ]+)\n", ran.said)
    assert lasted, ran.said
    assert abs(seconds(lasted[1]) - took) < 2, f"{took} s, and told was: {lasted[0]}"
    assert lasted[0].strip() in mail
