"""How much is done at once for a key: whoever has it fills neither the memory nor the processes of the host."""

from __future__ import annotations

import os
from pathlib import Path

from .. import durable
from ..answer import Denied, Refused
from ..store import lock

# A run has some ten commands at work at once, and sshd as many sessions on a connection.
MOST = 48
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def take(key: str, folder: Path = Path(lock.RUN)) -> int:
    """Be one of those at work for the key, until this process ends. Denied where there are as many as there may be.

    Gives the descriptor of the lock, which must stay open.
    """
    try:
        durable.make_folders(folder)
        descriptor = os.open(folder / f"served-{key}", _OPEN, 0o600)
    except OSError as problem:
        raise Refused(f"{folder} cannot be used: {problem.strerror}", "look at that host") from problem
    if any(lock.take(descriptor, place) for place in range(MOST)):
        return descriptor
    os.close(descriptor)
    raise Denied(f"{MOST} commands are at work for the key {key}, and no more may be", "wait until some have ended")
