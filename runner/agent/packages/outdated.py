"""`outdated`: what on this host is older than its files: the kernel, services, process 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..answer import emit
from ..arguments import parse
from ..detached.records import STATE
from ..plain import plain
from . import kernels
from .changed import since_boot
from .old_files import Old, old_files

FLAGS = ("run/reboot-required", "var/run/reboot-required")


def run(argv: Sequence[str]) -> int:
    """Print what a reboot or a restart of services would change; see docs/store.md. Reads only.

    With `--unit NAME` the answer also has `needs_restart`: whether that unit runs old files.
    """
    emit(read(argv))
    return 0


def read(argv: Sequence[str], root: str = "/") -> dict[str, Any]:
    """What `run` prints, of the host whose files are below `root`; changes nothing."""
    call = parse(argv, words=0, one=("state", "unit"))
    top = Path(root)
    state = Path(call.one["state"] or top / STATE.lstrip("/"))
    old = old_files(top)
    told = {
        **kernels.boot(top),
        "services": old.services,
        "pid1": old.pid1,
        "changed": since_boot(state, top),
        "flag": _flag(top),
        "needrestart": old.needrestart,
    }
    if call.one["unit"]:
        told["needs_restart"] = call.one["unit"] in old.services
    return told


def condition(root: Path) -> dict[str, Any]:
    """What a carried command left to do: `services` to restart, `pid1`, reasons for a `reboot`."""
    old = old_files(root)
    found = kernels.boot(root)["kernel"]
    return {"services": old.services, "pid1": old.pid1, "reboot": _reasons(root, old, found)}


def _reasons(root: Path, old: Old, kernel: dict[str, str]) -> list[str]:
    reasons = []
    if kernel["newest"] and kernel["newest"] != kernel["running"]:
        reasons.append(f"kernel {plain(kernel['running'])} runs, {plain(kernel['newest'])} is installed")
    elif old.needrestart and old.needrestart["ksta"] in (2, 3):
        reasons.append("needrestart says that the kernel is not the newest")
    if old.pid1:
        reasons.append("process 1 runs files that were replaced")
    if _flag(root):
        reasons.append("a package asked for it (/run/reboot-required)")
    return reasons


def _flag(root: Path) -> bool:
    return any((root / each).exists() for each in FLAGS)
