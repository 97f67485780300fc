"""The store's lock: bytes of `.runner/lock`, released by the kernel when their holder ends.

Byte 0 is held by `hold` for as long as a job runs, and the file says for which plan. Byte 1 is held by
a writing verb while it works, so that a job cannot take over a store in which a verb of the one before
(its connection lost, its `hold` gone) is still busy. The byte whose number is a snapshot's name is shared
by those who read that snapshot. Nothing need be written for it: a disk that is full or has gone read-only
is where people restore from. fcntl(2), advisory record locking.

A process loses all it holds here when it closes any descriptor of the file: open it once.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import durable
from ..answer import BUSY, Refused
from .layout import StoreFolder

HOLD = 0
WORK = 1
FLOCK = "hhqqi0q"
TEXT = 1000
# What a holder writes about itself is that long, blanks and all. What lies behind it is not ours.
ROOM = 4096
MOST_PIDS = 1 << 22


# /run/lock is open to everybody: who makes our folder there first keeps us out. So root has his below his own /run, and
# looks at the one of the version before, as long as one may be at work, only where nobody else made it.
FORMER = "/run/lock/runner"
RUN = "/run/runner/lock" if os.geteuid() == 0 else FORMER
RESOURCES = ("packages", "power", "dump", "drill", "restore-db")


def take(descriptor: int, byte: int, *, shared: bool = False) -> bool:
    """Take one byte of the lock without waiting, alone or `shared`; returns whether it is ours now."""
    try:
        fcntl.lockf(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB, 1, byte)
    except (BlockingIOError, PermissionError):
        return False
    return True


def byte_of(name: str) -> int:
    """The byte that stands for the snapshot `name`: its digits as a number."""
    return int("".join(each for each in name if each.isdigit()))


def held_by(descriptor: int, byte: int) -> int | None:
    """The process id (0: not visible from here) of who holds a byte, None if nobody does."""
    query = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, query))
    return None if kind == fcntl.F_UNLCK else int(pid)


def holder_text(descriptor: int) -> dict[str, Any]:
    """What the holder wrote about itself, as far as it can be read."""
    try:
        text = json.loads(os.pread(descriptor, ROOM, 0))
    except (ValueError, RecursionError):
        text = None
    return text if isinstance(text, dict) else {}


def holder(path: Path) -> Mapping[str, Any] | None:
    """Who holds the lock now, without touching it; None if nobody."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        pid = held_by(descriptor, HOLD)
        if pid is None:
            pid = held_by(descriptor, WORK)
        if pid is None:
            return None
        text = holder_text(descriptor)
        return {
            "plan": str(text.get("plan", ""))[:TEXT],
            "who": str(text.get("who", ""))[:TEXT],
            "pid": pid or _pid(text.get("pid")),
            "since": text.get("since"),
        }
    finally:
        os.close(descriptor)


def _pid(value: object) -> int:
    return value if type(value) is int and 0 < value < MOST_PIDS else 0


def open_lock(store: StoreFolder, flags: int) -> int:
    """A descriptor of the store's lock, for a verb that needs no `hold`; Refused where there is none."""
    try:
        return os.open(store.lock, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Refused(f"{store.root} has no lock", "is this a store, and is its disk mounted?") from None


def until_stdin_ends() -> None:
    """Wait for the end of stdin: whoever holds a lock through us has ended, or is done."""
    sys.stdout.flush()
    with contextlib.suppress(OSError):
        while os.read(0, 65536):
            pass


@contextlib.contextmanager
def working(store: StoreFolder, plan: str) -> Iterator[int]:
    """Work on the store under the lock that plan `plan` holds; Refused if it does not hold it.

    Gives the descriptor of the lock file, for its other bytes.
    """
    if not plan:
        raise Refused("--plan is missing", "only a plan that holds the store's lock may change it")
    nobody = Refused("nobody holds this store's lock", "start `runner-agent hold` first and keep it running")
    descriptor = _work(store.lock, plan, nobody, "the store is held by")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _work(path: Path, plan: str, nobody: Refused, held: str) -> int:
    """Take byte 1 of the lock at `path`, whose byte 0 `plan` must hold; the descriptor."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise nobody from None
    try:
        alone = take(descriptor, WORK)
        if alone and held_by(descriptor, HOLD) is None:
            raise nobody
        text = holder_text(descriptor)
        if not alone and text.get("plan") == plan:
            error = f"another verb is at work under the lock {path}"
            raise Refused(error, "wait until it has ended", code=BUSY, holder=text)
        if text.get("plan") != plan:
            who = text.get("who") or "another run"
            raise Refused(f"{held} {who}", "wait until it has ended", code=BUSY, holder=text)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def place(run: str, resource: str) -> Path:
    """The lock file of `resource`, its folder made if missing; Refused where others may put something into that."""
    if resource not in RESOURCES:
        raise Refused(f"no such resource: {resource!a}", f"there are: {', '.join(RESOURCES)}")
    from . import owned  # noqa: PLC0415  (what receives wants only the lock of its store)

    folder = Path(run or RUN)
    durable.make_folders(folder)
    owned.require_folder(folder, "see who made it, and move it away")
    return folder / resource


def former_holder(resource: str, root: Path = Path("/")) -> Mapping[str, Any] | None:
    """Who holds `resource` for the version before; None where nobody does, or another user made that folder."""
    folder = root / FORMER.lstrip("/")
    if FORMER == RUN:
        return None
    try:
        status = folder.lstat()
    except OSError:
        return None
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == 0 and not status.st_mode & 0o022
    path = folder / resource
    return holder(path) if ours and path.exists() else None


def work(run: str, resource: str, plan: str) -> int:
    """Work on `resource` from now until this process ends, under the lock that plan `plan` holds.

    Refused if it does not hold it. Gives the descriptor, which must stay open.
    """
    nobody = Refused(
        f"nobody holds the lock on this host's {resource}",
        f"start `runner-agent hold-host {resource}` first and keep it running",
    )
    return _work(place(run, resource), plan, nobody, f"this host's {resource}: held by")
