"""Running a command that only reads, with everything about it bounded."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

from .host.processes import MARK

CAP = 256 * 1024
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "LANGUAGE": "",
    "HOME": "/",
}

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class CommandAnswer(NamedTuple):
    """How a command ended and its output; `exit` is None where it did not start or did not end in time."""

    exit: int | None
    out: str
    err: str


def ask(argv: Sequence[str], *, timeout: float, stdin: int = subprocess.DEVNULL) -> CommandAnswer:
    """Run `argv` with stdin closed, or that open file, for at most `timeout` seconds; never raises for its faults.

    It only reads, or only asks a service for something: a mark in its environment says that nobody need wait for it.
    """
    try:
        process = subprocess.Popen(
            tuple(argv),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**ENVIRONMENT, **MARK},
            cwd="/",
            start_new_session=True,
            # What such a program keeps for itself, as a package manager its lists, is for all to read.
            umask=0o022,
        )
    except (OSError, ValueError, IndexError) as problem:
        return CommandAnswer(None, "", f"could not be started: {problem}")
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return CommandAnswer(None, _text(out), f"no answer within {timeout:g} s")
    return CommandAnswer(process.returncode, _text(out), _text(err))


def _text(output: bytes) -> str:
    return output[:CAP].decode("utf-8", "backslashreplace")


@contextlib.contextmanager
def together() -> Iterator[None]:
    """While the block runs a signal leaves it, so that what it began is undone; then no child is left.

    Whoever started a program ends it on the way out, but a signal may arrive after its fork and before anybody
    has its number. So all children are looked up by our own number.
    """
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    for each, known in before.items():
        # Begun with nohup(1) it outlives its terminal. Shells ignore SIGINT for whatever they begin in the background.
        if (each, known) != (signal.SIGHUP, signal.SIG_IGN):
            signal.signal(each, _leave)
    try:
        yield
    finally:
        _deaf()
        while pids := _children():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)
        for each, known in before.items():
            signal.signal(each, known)


def _leave(which: int, _: FrameType | None) -> NoReturn:
    # Another one is not to end the undoing.
    _deaf()
    raise SystemExit(128 + which)


def _deaf() -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def _children() -> list[int]:
    own = str(os.getpid()).encode()
    children = []
    for folder in Path("/proc").glob("[1-9]*"):
        # The name comes in brackets and may hold anything.
        with contextlib.suppress(OSError):
            state = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            if state[1] == own:
                children.append(int(folder.name))
    return children
