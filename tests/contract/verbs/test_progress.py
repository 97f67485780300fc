"""What a person at a terminal sees of a long wait."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress

import pytest

from tests.contract.site import REPOSITORY

SHOW = """
import time
from datetime import UTC, datetime
from runner.cli.terminal.progress import LiveDisplay
from runner.model.event import StepStarted, Waiting
from runner.model.plan import Check, Effect, Step, WaitFor
until = Check(host="h", argv=("true",), field="up", relation="==", value=True, why="it is up")
step = Step(id="reboot-backup-server1/back", job="reboot-backup-server1", host="h", effect=Effect.READ, why="",
            action=WaitFor(until=until, within=1800))
with LiveDisplay() as live:
    live(StepStarted(step=step, at=datetime.now(UTC)))
    seen = "no answer: something takes the connection to backup-server1, but no ssh server speaks"
    live(Waiting(step=step.id, job=step.job, seen=seen, at=datetime.now(UTC)))
    time.sleep(1.3)
"""


@pytest.mark.parametrize("columns", [80, 160])
def test_the_time_that_passes_is_seen_whatever_the_width_and_when_the_wait_ends(columns: int) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    # The size is the terminal's; what runs the tests may have its own in the environment.
    own = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    known = {**own, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm"}
    with subprocess.Popen(
        (sys.executable, "-c", SHOW), env=known, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        ran = b""
        with suppress(OSError):
            while piece := os.read(ours, 4096):
                ran += piece
        assert process.wait(30) == 0, ran
    os.close(ours)
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", ran.decode()))
    assert re.search(r"reboot-backup-server1/back: waits until \d{4}-\d\d-\d\d \d\d:\d\d at most", "\n".join(lines))
    waiting = [line for line in lines if "no answer: " in line]
    assert waiting and all(re.search(r" 0:00:0\d$", line.rstrip()) for line in waiting), waiting
    assert ("no ssh server speaks" in waiting[-1]) is (columns > 150)
