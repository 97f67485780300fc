"""A systemd scope of its own for a process that must not end with the unit or session it was started in."""

from __future__ import annotations

import time
from pathlib import Path

from ..command import ask

PATIENCE = 10
LOOK = 0.02
# systemd.kill(5): at a shutdown, too, the command is left alone (SIGCONT changes nothing) until this is
# over: a package manager that is ended in the middle leaves packages half installed.
LEFT_ALONE = 18
MICROSECONDS = 600 * 10**6


def leave(pid: int) -> None:
    """Move process `pid`, and what it will start, out of its unit; nothing where systemd does not run.

    A unit's end (`systemctl stop`, a timer's job, a session that logind ends) kills all it ever started.
    """
    if not Path("/run/systemd/system").is_dir():
        return
    scope = f"runner-carried-{pid}.scope"
    properties = (
        "Description", "s", "what a plan of runner began and goes on without it",
        "PIDs", "au", "1", str(pid),
        "KillSignal", "i", str(LEFT_ALONE),
        "TimeoutStopUSec", "t", str(MICROSECONDS),
    )  # fmt: skip
    manager = "org.freedesktop.systemd1"
    answer = ask(
        (
            "busctl", "--quiet", "call", manager, "/org/freedesktop/systemd1", f"{manager}.Manager",
            "StartTransientUnit", "ssa(sv)a(sa(sv))", scope, "fail", "4", *properties, "0",
        ),
        timeout=PATIENCE,
    )  # fmt: skip
    # Where that fails it goes on in the unit in which it is: as it would have without us. The answer only
    # says that it will be moved, and what is started before it was stays behind.
    until = time.monotonic() + (PATIENCE if answer.exit == 0 else 0)
    while scope not in _group(pid) and time.monotonic() < until:
        time.sleep(LOOK)


def _group(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text("utf-8", "replace")
    except OSError:
        return ""
