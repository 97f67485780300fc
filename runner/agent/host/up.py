"""`up`: is this host up, since when, how well, and who would notice if it went down?"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import clock
from ..answer import emit
from ..arguments import parse
from ..command import ask
from ..plain import plain
from . import processes, sessions
from .mounts import mounts, uuid_of

PATIENCE = 15


def run(argv: Sequence[str]) -> int:
    """Print the boot, the state of the system, failed units, users, inhibitors, mounts; see docs/store.md."""
    emit(read(argv))
    return 0


def read(argv: Sequence[str], root: str = "/") -> dict[str, Any]:
    """What `run` prints, of the host whose files are below `root`; changes nothing.

    `system` and `failed` are what systemd says, empty where it does not run.
    """
    parse(argv, words=0)
    top = Path(root)
    booted = processes.booted(top)
    systemd = (top / "run/systemd/system").is_dir()
    return {
        "boot_id": processes.boot_id(top),
        "kernel": platform.release(),
        "system": _system() if systemd else "",
        "failed": _failed() if systemd else [],
        "up_since": clock.text(booted * 10**9) if booted else None,
        "users": sessions.users(top),
        "systemd": systemd,
        "inhibitors": sessions.inhibitors(top),
        "mounts": _mounts(),
        "checking": sessions.checking(top),
    }


def _system() -> str:
    # It ends with 1 for every state but `running`, and says the word all the same.
    return plain(ask(("systemctl", "is-system-running"), timeout=PATIENCE).out.strip())


def _failed() -> list[str]:
    argv = ("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager")
    lines = ask(argv, timeout=PATIENCE).out.splitlines()
    return [plain(line.split()[0]) for line in lines if line.split()]


def _mounts() -> dict[str, str]:
    """Where each filesystem that has a uuid is mounted: the whole of it, at its first place."""
    found: dict[str, str] = {}
    for mount in mounts():
        if mount.local and mount.root == "/":
            uuid = uuid_of(mount)
            if uuid:
                found.setdefault(uuid, mount.point)
    return found
