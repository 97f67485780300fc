"""A disk that has no room for the names of another snapshot."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from ..answer import Refused

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def not_full() -> Iterator[None]:
    """Say of a disk that is full that it is: the next plan makes room, and goes on with what is there."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in NO_ROOM:
            raise
        raise full() from problem


def full() -> Refused:
    """Why not, and what helps."""
    return Refused(
        "the disk has no room for the names of another snapshot",
        "prune the store, then run the job again; what was cloned is used",
        again=True,
        cause="full",
    )
