"""`outdated`: what on this host is older than its files: the kernel, services, process 1."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..answer import emit, plain, table
from ..arguments import parse_as
from ..command import ENVIRONMENT, ask
from ..detached.records import STATE
from ..host.processes import processes
from . import kernels
from .contract import KernelVersions, LookOutdated, Needrestart, Outdated
from .installed import since_boot

FLAGS = ("run/reboot-required", "var/run/reboot-required")

PATIENCE = 120
GONE = re.compile(rb"^\S+ ..x\S* \S+ \S+ [1-9]\d* +/(?:usr|lib\w*|bin|sbin|opt)/.* \(deleted\)$", re.MULTILINE)
GONE_PROGRAM = " (deleted)"
MANAGER = "systemd-manager"


def run(argv: Sequence[str]) -> int:
    """Print what a reboot or a restart of services would change; see docs/store.md. Reads only.

    With `--unit NAME` the answer also has `needs_restart`: whether that unit runs old files.
    """
    emit(read(argv))
    return 0


def read(argv: Sequence[str], root: str = "/") -> dict[str, Any]:
    """What `run` prints, of the host whose files are below `root`; changes nothing."""
    options = parse_as(LookOutdated, argv)
    top = Path(root)
    state = Path(options.state or top / STATE.lstrip("/"))
    old = old_files(top)
    answer = Outdated(
        **kernels.boot(top),
        services=tuple(old.services),
        pid1=old.pid1,
        changed=tuple((name, version) for name, version in since_boot(state, top)),
        flag=_flag(top),
        needrestart=old.needrestart,
        needs_restart=options.unit in old.services if options.unit else None,
    )
    fields: dict[str, Any] = table(answer)
    if answer.needs_restart is None:
        del fields["needs_restart"]
    return fields


def condition(root: Path) -> dict[str, Any]:
    """What a detached command left to do: `services` to restart, `pid1`, reasons for a `reboot`."""
    old = old_files(root)
    kernel = kernels.boot(root)["kernel"]
    return {"services": old.services, "pid1": old.pid1, "reboot": _reasons(root, old, kernel)}


def _reasons(root: Path, old: Old, kernel: KernelVersions) -> list[str]:
    reasons = []
    if kernel.newest and kernel.newest != kernel.running:
        reasons.append(f"kernel {plain(kernel.running)} runs, {plain(kernel.newest)} is installed")
    elif old.needrestart and old.needrestart.ksta in (2, 3):
        reasons.append("needrestart says that the kernel is not the newest")
    if old.pid1:
        reasons.append("process 1 runs files that were replaced")
    if _flag(root):
        reasons.append("a package asked for it (/run/reboot-required)")
    return reasons


def _flag(root: Path) -> bool:
    return any((root / each).exists() for each in FLAGS)


class Old(NamedTuple):
    """Units that should be restarted, whether process 1 is older than its files, what needrestart reported."""

    services: list[str]
    pid1: bool
    needrestart: Needrestart | None


def old_files(root: Path) -> Old:
    """Ask needrestart where it is installed; else look which mapped files are gone from the disk."""
    gone = mapped(root)
    if root != Path("/") or shutil.which("needrestart", path=ENVIRONMENT["PATH"]) is None:
        return gone
    # It only lists with `-r l`. Its exit code is always 0: that it came to an answer is seen in the answer.
    old = needrestart(ask(("needrestart", "-b", "-r", "l"), timeout=PATIENCE).out)
    return old._replace(pid1=old.pid1 or gone.pid1) if old else gone


def needrestart(text: str) -> Old | None:
    """Read the output of `needrestart -b`; None where it came to no answer."""
    lines = [line.partition(": ")[::2] for line in text.splitlines()]
    if not any(key == "NEEDRESTART-VER" for key, _ in lines):
        return None
    named = {plain(value) for key, value in lines if key == "NEEDRESTART-SVC"}
    state = next((value for key, value in lines if key == "NEEDRESTART-KSTA"), "")
    ksta = Needrestart(int(state) if state.isdecimal() else 0)
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
            units = [part for part in path.split("/") if part.endswith(".service")]
            if units:
                return plain(units[-1])
    return ""
