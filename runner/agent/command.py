"""Running a command that only reads, with everything about it bounded."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

CAP = 256 * 1024
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "LANGUAGE": "",
    "HOME": "/",
}


class Answer(NamedTuple):
    """What a command said; `exit` is None where it did not start or did not end in time."""

    exit: int | None
    out: str
    err: str


def ask(argv: Sequence[str], *, timeout: float) -> Answer:
    """Run `argv` with stdin closed, for at most `timeout` seconds; never raises for a bad program."""
    try:
        process = subprocess.Popen(
            tuple(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as problem:
        return Answer(None, "", f"could not be started: {problem}")
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return Answer(None, _text(out), f"no answer within {timeout:g} s")
    return Answer(process.returncode, _text(out), _text(err))


def _text(output: bytes) -> str:
    return output[:CAP].decode("utf-8", "backslashreplace")
