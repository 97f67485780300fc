"""Which services still run programs or libraries that were replaced since they started."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from ..command import ENVIRONMENT, ask
from ..host.processes import processes
from ..plain import plain

PATIENCE = 120
GONE = re.compile(
    rb"^\S+ ..x\S* \S+ \S+ [1-9]\d* +/(?:usr|lib\w*|bin|sbin|opt)/.* \(deleted\)$", re.MULTILINE
)
GONE_PROGRAM = " (deleted)"
MANAGER = "systemd-manager"


class Old(NamedTuple):
    """Units that should be restarted, whether process 1 is older than its files, what needrestart said."""

    services: list[str]
    pid1: bool
    needrestart: dict[str, Any] | None


def old_files(root: Path) -> Old:
    """Ask needrestart where it is installed; else look which mapped files are gone from the disk."""
    found = mapped(root)
    if root != Path("/") or shutil.which("needrestart", path=ENVIRONMENT["PATH"]) is None:
        return found
    # It only lists with `-r l`. Its exit code is always 0: that it came to an answer is seen in the answer.
    told = needrestart(ask(("needrestart", "-b", "-r", "l"), timeout=PATIENCE).out)
    return told._replace(pid1=told.pid1 or found.pid1) if told else found


def needrestart(text: str) -> Old | None:
    """What `needrestart -b` said; None where it came to no answer."""
    lines = [line.partition(": ")[::2] for line in text.splitlines()]
    if not any(key == "NEEDRESTART-VER" for key, _ in lines):
        return None
    named = {plain(value) for key, value in lines if key == "NEEDRESTART-SVC"}
    state = next((value for key, value in lines if key == "NEEDRESTART-KSTA"), "")
    ksta = {"ksta": int(state) if state.isdecimal() else 0}
    return Old(sorted(named - {MANAGER}), MANAGER in named, ksta)


def mapped(root: Path) -> Old:
    """What runs from files that are gone, as the kernel shows it."""
    services = set()
    pid1 = False
    for process in processes(root):
        if not _is_old(process):
            continue
        if process.name == "1":
            pid1 = True
            continue
        unit = _unit(process)
        if unit:
            services.add(unit)
    return Old(sorted(services), pid1, None)


def _is_old(process: Path) -> bool:
    try:
        if str((process / "exe").readlink()).endswith(GONE_PROGRAM):
            return True
    except OSError:
        pass
    try:
        return GONE.search((process / "maps").read_bytes()) is not None
    except OSError:
        return False


def _unit(process: Path) -> str:
    try:
        groups = (process / "cgroup").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in groups:
        path = line.split(":", 2)[-1]
        # A service of the system; what runs in a person's session is that person's.
        if path.startswith("/system.slice/"):
            found = [part for part in path.split("/") if part.endswith(".service")]
            if found:
                return plain(found[-1])
    return ""
