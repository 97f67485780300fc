"""`in-use`: who has something open on a mounted filesystem, so that it is not taken away from them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..answer import Refused, emit, plain
from ..arguments import parse_as
from ..host.mounts import mounts, superblock
from ..host.processes import processes
from ..store import lock
from ..store.layout import open_store
from .contract import InUse

# ext2's own marks in the superblock, at 0x3a.
VALID, ERRORS = 1, 2
SHOWN = 5


def run(argv: Sequence[str]) -> int:
    """Print `{"users", "who"}` for what is mounted at a folder, or `{"sound", "mounted"}` for `--device`.

    `users` counts processes and mounts below it, without those that hold the lock of a `--store` for
    `--plan`: these let go when they are told. `sound` is false once errors are marked on the device.
    """
    options = parse_as(InUse, argv)
    if options.device:
        emit(_device(options.device))
        return 0
    if len(options.folder) != 1:
        raise Refused("the folder is missing", "see docs/store.md")
    holding = {_holder(path, options.plan) for path in options.store}
    who = [*_below(options.folder[0]), *_users(options.folder[0], holding)]
    emit({"users": len(who), "who": who[:SHOWN]})
    return 0


def _device(device: str) -> dict[str, Any]:
    block = superblock(Path(device))
    if not block:
        raise Refused(f"{device!a} has no filesystem that can be read", "see that it is plugged in")
    state = int.from_bytes(block[0x3A:0x3C], "little")
    try:
        number = Path(device).stat().st_rdev
    except OSError:
        number = 0
    where = [mount.point for mount in mounts() if number and mount.dev == number]
    return {"sound": bool(state & VALID) and not state & ERRORS, "mounted": bool(where)}


def _holder(path: str, plan: str) -> int:
    found = lock.holder(open_store(path).lock)
    return int(found["pid"]) if found and plan and found["plan"] == plan else 0


def _below(folder: str) -> Iterator[str]:
    for mount in mounts():
        if mount.point.startswith(folder.rstrip("/") + "/"):
            yield f"{plain(mount.point)} is mounted in it"


def _users(folder: str, holding: set[int]) -> Iterator[str]:
    try:
        number = os.stat(folder).st_dev  # noqa: PTH116
    except OSError as problem:
        raise Refused(f"{folder!a} cannot be looked at: {problem.strerror}", "look at the disk") from problem
    for process in processes():
        if int(process.name) not in holding and any(_on(path, number) for path in _open(process)):
            yield f"{_name(process)} (process {process.name})"


def _open(process: Path) -> Iterator[Path]:
    yield from (process / name for name in ("cwd", "root", "exe"))
    for folder in ("fd", "map_files"):
        try:
            yield from (process / folder).iterdir()
        except OSError:
            continue


def _on(link: Path, number: int) -> bool:
    try:
        return link.stat().st_dev == number
    except (OSError, ValueError):
        return False


def _name(process: Path) -> str:
    try:
        return plain((process / "comm").read_text("utf-8", "backslashreplace").strip())
    except OSError:
        return "a process"
