"""Counts that no busy machine can change: system calls and processes of one day, by strace(1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tests.bench.meters.disk import Disk
from tests.bench.meters.measure import Cost, Work
from tests.bench.peers.contender import Place

COUNTED = (
    "link", "linkat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "openat", "newfstatat", "getdents64", "fsync", "syncfs", "execve", "connect",
)  # fmt: skip


def counted(work: Work, place: Place, measure: Callable[[Work, Disk, Path], Cost]) -> Mapping[str, int]:
    """Run `work` under strace and count its calls that succeeded; its time means nothing."""
    total = dict.fromkeys(COUNTED, 0)
    for argv in work.commands:
        out = place.folder / "strace.out"
        strace = ("strace", "-f", "-c", "--seccomp-bpf", "-o", str(out), f"--trace={','.join(COUNTED)}")
        traced = replace(work, commands=((*strace, *argv),))
        measure(traced, place.disk, place.folder / "strace.err")
        for name, number in succeeded(out.read_text("ascii", "replace")).items():
            total[name] = total.get(name, 0) + number
    return total


def succeeded(table: str) -> Mapping[str, int]:
    """Calls without errors of each name in the table that `strace -c` writes."""
    found = {}
    for line in table.splitlines():
        words = line.split()
        if len(words) in (5, 6) and words[3].isdigit() and words[-1] in COUNTED:
            errors = int(words[4]) if len(words) == 6 else 0
            found[words[-1]] = int(words[3]) - errors
    return found
