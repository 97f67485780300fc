"""What only looks, in a view in which nothing can be written: for a stranger, or at what a stranger says."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from ..answer import FAILED, Refused
from ..arguments import parse_as
from . import enter, kernel, starting
from .contract import Confine
from .receiver import Receiver, inherit, prepared

_HEARD = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
# The first process of a namespace hears only what it asked for.
_GRACE = 10


def confine(argv: Sequence[str]) -> int:
    """Run ARGV with our own standard input, output and errors, and end as it ends, by the same signal too.

    It is nobody's, and has the way to the other end that the runner gave us. Nothing of ours goes to standard output:
    whoever reads it reads what ARGV says.
    """
    try:
        options = parse_as(Confine, argv)
        if not options.argv:
            raise Refused("no command is named", "see docs/store.md")
        receiver = prepared((), options.reads)
    except Refused as problem:
        _say(f"{problem.error}; {problem.do}")
        return FAILED
    ended = _run(options.argv, receiver)
    if ended == receiver.no_memory:
        _say(receiver.too_much(options.argv[0]))
    if ended < 0:
        # As whoever waits for it would see it end without us.
        with contextlib.suppress(OSError):
            signal.signal(-ended, signal.SIG_DFL)
        os.kill(os.getpid(), -ended)
    return ended


def lend(argv: Sequence[str], reads: Sequence[str], hidden: Sequence[str]) -> int:
    """Run it with our standard input, output and errors, and give its exit code; 128 and a signal. Raises Refused.

    It sees the folders `reads`, and of the folders `hidden` only those; where `/` is among them all of the host.
    """
    code = _run(argv, prepared((), reads, hidden))
    return code if code >= 0 else 128 - code


def _run(argv: Sequence[str], receiver: Receiver) -> int:
    """How it ends, a signal negative. What we are told by a signal it is told too."""
    sys.stdout.flush()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    pid = os.fork()
    if pid == 0:
        _become(argv, receiver, mask)

    def tell(number: int, frame: FrameType | None) -> None:
        os.kill(pid, number)
        signal.alarm(_GRACE)

    for number in _HEARD:
        signal.signal(number, tell)
    signal.signal(signal.SIGALRM, lambda number, frame: os.kill(pid, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    # Until it is waited for its number is nobody else's.
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    signal.pthread_sigmask(signal.SIG_BLOCK, (*_HEARD, signal.SIGALRM))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become(argv: Sequence[str], receiver: Receiver, mask: set[int]) -> NoReturn:
    def ready() -> None:
        inherit(0, 1, 2, receiver.connected)
        enter.look(receiver.view, receiver.uid)
        kernel.die_with_parent(signal.SIGTERM)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    starting.become(argv, receiver.environment, ready, _say)


def _say(text: str) -> None:
    print(f"runner-agent confine: {text}", file=sys.stderr)
