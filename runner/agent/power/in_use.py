"""`in-use`: who has something open on a mounted filesystem, so that it is not taken away from them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..answer import Refused, plain, reply
from ..arguments import parse_as
from ..host.mounts import mounts, number_of, superblock
from ..host.processes import processes
from ..store import lock
from ..store.layout import open_store
from .contract import DeviceState, FolderUsers, InUse

# ext2's own marks in the superblock, at 0x3a.
VALID, ERRORS = 1, 2
SHOWN = 5
# Whoever looks at this host, we ourselves for another job too, has a folder open for a moment.
LOOKS, BETWEEN = 4, 0.5


def run(argv: Sequence[str]) -> int:
    """Print `{"users", "who"}` for what is mounted at a folder, or `{"sound", "mounted"}` for `--device`.

    `users` counts processes and mounts below it that stay for some seconds, without those that hold the lock of a
    `--store` for `--plan`: these release it when they are asked to. `sound` is false once errors are marked on the
    device.
    """
    options = parse_as(InUse, argv)
    if options.device:
        reply(_device(options.device))
        return 0
    if len(options.folder) != 1:
        raise Refused("the folder is missing", "see docs/store.md")
    holding = {_holder(path, options.plan) for path in options.store}
    users = _staying(options.folder[0], holding)
    reply(FolderUsers(len(users), tuple(users[:SHOWN])))
    return 0


def _staying(folder: str, holding: set[int]) -> list[str]:
    """Who uses the folder whenever it is looked at; nobody, where one of the looks sees nobody."""
    users = [*_below(folder), *_users(folder, holding)]
    for _ in range(LOOKS):
        if not users:
            break
        time.sleep(BETWEEN)
        users = [*_below(folder), *_users(folder, holding)]
    return users


def _device(device: str) -> DeviceState:
    block, number = superblock(Path(device)), number_of(device)
    if not block:
        raise Refused(f"{device!a} has no filesystem that can be read", "see that it is plugged in")
    state = int.from_bytes(block[0x3A:0x3C], "little")
    mounted = any(number and mount.dev == number for mount in mounts())
    return DeviceState(sound=bool(state & VALID) and not state & ERRORS, mounted=mounted)


def _holder(path: str, plan: str) -> int:
    holder = lock.holder(open_store(path).lock)
    return int(holder["pid"]) if holder and plan and holder["plan"] == plan else 0


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
