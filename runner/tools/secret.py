"""A file with a secret: it is not taken where others could know it, or have put it there."""

from __future__ import annotations

import os
import shlex
import stat
from typing import NamedTuple

from runner.agent.trust import TRUSTED
from runner.model.errors import Exposed
from runner.tools import trust


class Unfit(NamedTuple):
    """Why a secret is not taken out of its file, and the command that mends that, "" where there is none."""

    why: str
    command: str


def read(path: str, most: int) -> bytes:
    """The first `most` bytes of the file; OSError where it cannot be read, Exposed where it is not to be taken."""
    # Of a pipe somebody would have to write the other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if fault := _fault(path, os.fstat(descriptor)):
            raise Exposed(fault.why, command=fault.command)
        trust.require((path,))
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def unfit(path: str) -> Unfit | None:
    """What keeps `read` from taking it, as far as its owner and its mode say; None where it cannot be looked at."""
    try:
        return _fault(path, os.stat(path))  # noqa: PTH116  (as `read` sees it)
    except OSError:
        return None


def complaint(path: str) -> str:
    """What is `unfit` in words, with its command; "" where nothing is. The path may be in our home."""
    fault = unfit(os.path.expanduser(path))  # noqa: PTH111  (one that is nobody's home stays as it is)
    return f"{fault.why}; {fault.command}".removesuffix("; ") if fault else ""


def _fault(path: str, status: os.stat_result) -> Unfit | None:
    place = shlex.quote(path)
    if not stat.S_ISREG(status.st_mode):
        return Unfit(f"{path} is to hold a secret, and is no file", "")
    if status.st_uid not in TRUSTED:
        return Unfit(f"{path} holds a secret, and belongs to somebody else", f"chown {os.geteuid()} {place}")
    # What an access list grants at most stands in the bits of the group.
    if mode := stat.S_IMODE(status.st_mode) & 0o077:
        what = "read" if mode & 0o044 else "change or run"
        shown = f"{stat.S_IMODE(status.st_mode):04o}"
        return Unfit(f"{path} holds a secret, and others may {what} it (mode {shown})", f"chmod 600 {place}")
    return None
