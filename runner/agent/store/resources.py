"""What a whole host has only one of, such as its packages and its power, each with a lock as a store has one."""

from __future__ import annotations

import os
from pathlib import Path

from ..answer import BUSY, Refused
from . import lock

RUN = "/run/lock/runner"
RESOURCES = ("packages", "power", "dump", "drill", "restore-db")


def place(run: str, resource: str) -> Path:
    """The lock file of `resource`, its folder made if missing.

    /run/lock is open to everybody: Refused where the folder is not ours alone.
    """
    if resource not in RESOURCES:
        raise Refused(f"no such resource: {resource!a}", f"there are: {', '.join(RESOURCES)}")
    folder = Path(run or RUN)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o755, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Refused(
            f"{folder} is not {_name()}'s alone", "see who made it, remove it, and make it with mode 755"
        )
    return folder / resource


def work(run: str, resource: str, plan: str) -> int:
    """Work on `resource` from now until this process ends, under the lock that plan `plan` holds.

    Refused if it does not hold it. Gives the descriptor, which must stay open.
    """
    path = place(run, resource)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise _not_held(resource) from None
    busy = not lock.take(descriptor, lock.WORK)
    told = lock.told(descriptor)
    if not busy and lock.held_by(descriptor, lock.HOLD) is None:
        os.close(descriptor)
        raise _not_held(resource)
    if busy or told.get("plan") != plan:
        os.close(descriptor)
        raise Refused(
            f"this host's {resource}: held by {told.get('who') or 'another run'}",
            "wait until it has ended",
            code=BUSY,
            holder=told,
        )
    return descriptor


def _name() -> str:
    return "root" if os.geteuid() == 0 else f"user {os.geteuid()}"


def _not_held(resource: str) -> Refused:
    return Refused(
        f"nobody holds the lock on this host's {resource}",
        f"start `runner-store hold-host {resource}` first and keep it running",
    )
