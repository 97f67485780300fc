"""A person who has told a real machine to reboot, and waits no longer."""

from __future__ import annotations

import signal
import time

import pytest

from tests.vm.site import REBOOT, Site


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_wait_ends_within_seconds_and_says_that_the_host_was_told(how: signal.Signals, site: Site) -> None:
    machine = site.machine
    before = machine.boot_id()
    machine.hold_reboot()
    running = site.start("run", REBOOT, "--yes")
    machine.await_held()
    # By now it is asked by a connection that nobody answers.
    time.sleep(8)
    running.send_signal(how)
    begun = time.monotonic()
    ran = site.finish(running, 60)
    assert time.monotonic() - begun < 12, ran.said
    assert ran.code == 1, ran.said
    assert "was told to restart and was not seen again" in ran.said, ran.said
    assert f"runner plan {REBOOT}" in ran.said
    assert "was told to restart" in site.mail().replace("=\n", "")
    machine.go_on()
    machine.await_boot(before)
