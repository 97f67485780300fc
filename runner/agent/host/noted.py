"""Processes that are noted in memory, so that whoever comes later can end them and know that they have ended. proc(5).

A lock says less: the kernel frees that of a process which was killed before what it had begun is dead. The first
process of a namespace is not gone, and no zombie of a single thread either, before all others in it are:
pid_namespaces(7).
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from ..answer import Refused
from .processes import ENDED, boot_id

# A reboot forgets it, and /run is root's.
RUN = "/run/runner/receives"
_STEP = 0.02
# SIGKILL; the module that names it is slow to load.
_KILL = 9
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TEXT = 200


def note(key: str, pid: int, folder: str = RUN) -> str:
    """Note that the process `pid`, which we began and have not waited for, works for `key`; the name of the note.

    Raises Refused.
    """
    try:
        for place in (Path(folder).parent, Path(folder)):
            with contextlib.suppress(FileExistsError):
                os.makedirs(place, 0o700)  # noqa: PTH103  (the mode is that of the last)
        name, text = f"{key}.{pid}", f"{_stat(pid)[19].decode()} {boot_id()}"
        with _held(folder) as held:
            _forget(held, name)
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=held)
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                stream.write(text)
    except (OSError, IndexError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is gone"
        raise Refused(f"what receives cannot be noted in {folder}: {why}", "look at that folder") from None
    return name


def forget(name: str, folder: str = RUN) -> None:
    """Take a note back: that process has ended, and we have waited for it."""
    with contextlib.suppress(OSError), _held(folder) as held:
        _forget(held, name)


def end(key: str, patience: float, folder: str = RUN) -> bool:
    """Kill what is noted for `key`; whether all of it has ended, within so many seconds. Raises Refused."""
    if os.geteuid() != 0:
        # What is confined is root's, and so is the folder; of others' own nothing is noted there.
        return True
    deadline = time.monotonic() + patience
    try:
        with _held(folder) as held:
            for name in [each for each in os.listdir(held) if each.rpartition(".")[0] == key]:  # noqa: PTH208
                pid, begun = int(name.rpartition(".")[2]), _begun(held, name)
                while begun and _lives(pid, begun):
                    if time.monotonic() >= deadline:
                        return False
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, _KILL)
                    time.sleep(_STEP)
                _forget(held, name)
    except FileNotFoundError:
        return True
    except (OSError, ValueError) as problem:
        raise Refused(f"what receives cannot be seen in {folder}: {problem}", "look at that folder") from None
    return True


@contextlib.contextmanager
def _held(folder: str) -> Iterator[int]:
    held = os.open(folder, _OPEN)
    try:
        status = os.fstat(held)
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
            raise Refused(f"others may change {folder}", "see who made it, and move it away")
        yield held
    finally:
        os.close(held)


def _begun(held: int, name: str) -> int:
    """When the process of a note was begun, in ticks since the boot; 0 where that was before another boot."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=held)
    try:
        whole = stat.S_ISREG(os.fstat(descriptor).st_mode)
        begun, _, boot = (os.read(descriptor, _TEXT).decode("ascii") if whole else "").partition(" ")
    finally:
        os.close(descriptor)
    return int(begun) if boot == boot_id() else 0


def _lives(pid: int, begun: int) -> bool:
    fields = _stat(pid)
    if not fields or int(fields[19]) != begun:
        return False
    # One whose first thread has ended looks like a zombie, and its others go on.
    return fields[0] not in ENDED or int(fields[17]) > 1


def _stat(pid: int) -> list[bytes]:
    """What the kernel says of a process, from its state on; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _forget(held: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=held)
