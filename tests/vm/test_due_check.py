"""A disk whose check is due: the plan foretells it, the reboot runs it, the wait outlasts it, the message tells.

The short form of this folder: `make test` runs this file alone.
"""

from __future__ import annotations

import re
import time

from tests.vm.mishaps import make_due
from tests.vm.site import REBOOT, Site
from tests.vm.test_machine import mounted

SPEED = 12


def test_a_check_that_is_due_is_foretold_run_outlasted_and_told(site: Site) -> None:
    machine = site.machine
    make_due(machine)
    before = machine.boot_id()
    plan, shown = site.plan(REBOOT)
    told = [one["text"] for one in plan["findings"] if "papio-snapshots" in one["text"]]
    assert any("2026-01-01" in text and "every 120 days" in text for text in told), shown
    assert any(re.search(r"\d (s|min|h)\b", text) for text in told), "how long it may take"

    machine.slow_disk(SPEED)
    began = time.monotonic()
    ran = site.run("apply", str(site.folder / "plan.toml"))
    lasted = time.monotonic() - began
    assert ran.code in (0, 3), ran.said
    assert machine.boot_id() not in ("", before)
    assert mounted(machine)
    assert "check forced" in machine.run("journalctl", "-b", "-o", "cat", "-u", "systemd-fsck@*").stdout
    assert site.sealed() == []

    assert f"{REBOOT}  done" in ran.said
    assert "back" in site.mail()
    assert lasted > 256 / SPEED, "the disk was read in full"
