"""The plan of a reboot of an idle host, again and again: what the plan itself asks there is nobody at work."""

from __future__ import annotations

import pytest

from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import Lab
from tests.lab.site import FILE, JOBS, MIB, Runner, until
from tests.soak import few

REBOOT = """
[jobs.reboot-backup-server1]
kind = "reboot"
host = "backup-server1"
"""


@pytest.mark.parametrize("times", few((3, 20), 3))
def test_an_idle_host_is_never_said_to_be_at_work_and_a_busy_one_is(fresh_lab: Lab, times: int) -> None:
    runner = Runner(lab=fresh_lab)
    runner.settle(files=10)
    runner.path(PAPIO, FILE).write_text(JOBS + REBOOT)
    for number in range(1, times + 1):
        said = runner.run("plan", "reboot-backup-server1").said
        assert "interrupts: reboot-backup-server1/reboot." in said, f"plan {number} of {times}:\n{said}"
        assert "at work" not in said, f"plan {number} of {times}:\n{said}"

    runner.path(BACKUP, "/srv/large").write_bytes(bytes(MIB))
    rsync = fresh_lab.popen(BACKUP, "rsync", "--bwlimit=1", "--whole-file", "/srv/large", "/srv/copy")
    until("rsync", lambda: runner.pids(BACKUP, "rsync --bwlimit"))
    said = " ".join(runner.run("plan", "reboot-backup-server1").said.split())
    assert rsync.poll() is None
    assert "backup-server1 is at work: rsync (process " in said and "wait until it has ended" in said
    assert "interrupts: " not in said
