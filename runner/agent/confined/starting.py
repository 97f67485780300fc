"""What `keep-room` runs, begun: with all that is open there, or confined. It never outlives whoever began it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from ..answer import FAILED, Refused

if TYPE_CHECKING:
    from .receiver import Receiver

_NOT_STARTED = 127
# prctl(2)
_SET_PDEATHSIG = 1
Prctl = Callable[[int, int], int]


def plain(argv: Sequence[str], prctl: Prctl, mask: set[int]) -> tuple[int, int]:
    """Start it with all that is open here as it is, and give its number; it is told by TERM when we are gone."""
    us = os.getpid()

    def ready() -> None:
        prctl(_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != us:
            os._exit(_NOT_STARTED)
        _as_called(mask)

    pid = os.fork()
    if not pid:
        become(argv, os.environ, ready, _say)
    return pid, -1


def confined(argv: Sequence[str], prctl: Prctl, mask: set[int], receiver: Receiver) -> tuple[int, int]:
    """Start it in its view, and give its number, and where it waits for a byte before it is what `argv` says.

    The kernel ends it when we are gone, and whatever it has begun with it. Nobody knows of it any more then, and what
    it has open may be sealed. The first process of a namespace need not hear a TERM.
    """
    theirs, ours = os.pipe2(os.O_CLOEXEC)

    def ready() -> None:
        os.close(ours)
        receiver.enter()
        # Who becomes somebody else is not told any more.
        prctl(_SET_PDEATHSIG, signal.SIGKILL)
        if not os.read(theirs, 1):
            os._exit(FAILED)
        _require_parent(theirs)
        _as_called(mask)

    pid = os.fork()
    if not pid:
        become(argv, receiver.environment, ready, _say)
    # Ours stays open until we are gone.
    os.close(theirs)
    return pid, ours


def become(
    argv: Sequence[str], environment: Mapping[str, str], ready: Callable[[], None], say: Callable[[str], None]
) -> NoReturn:
    """Be that program, in this environment, once this process, a fork, is `ready`.

    What keeps it from that is said, and ends this process: with 127 where the program could not be started.
    """
    code = FAILED
    try:
        ready()
        code = _NOT_STARTED
        os.execvpe(argv[0], tuple(argv), environment)  # noqa: S606  (there is no shell)
    except Refused as problem:
        say(f"{problem.error}; {problem.do}")
    except OSError as problem:
        say(f"{argv[0]!a} could not be started: {problem.strerror}")
    finally:
        sys.stderr.flush()
        os._exit(code)


def _require_parent(pipe: int) -> None:
    """Raises ProcessLookupError where the other end of the pipe, which only our parent has, is closed.

    In a namespace of its own the first process sees no parent.
    """
    fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        os.read(pipe, 1)
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))


def _as_called(mask: set[int]) -> None:
    """What Python ignores, and whoever called us did not; and the agent's umask is for files of the agent."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    os.umask(0o022)


def _say(text: str) -> None:
    print(f"runner-agent keep-room: {text}", file=sys.stderr)
