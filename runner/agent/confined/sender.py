"""What a stranger has read to him: begun in a view in which nothing can be written."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from ..answer import FAILED, Refused
from . import enter, kernel
from .receiver import inherit, memory, nobody
from .view import View

_NOT_STARTED = 127


def run(argv: Sequence[str], reads: Sequence[str], hidden: Sequence[str]) -> int:
    """Run it with our standard input, output and errors, and give its exit code; 128 and a signal.

    It sees the folders `reads`, and of the folders `hidden` only those; where `/` is among them all of the host.
    """
    view, uid = View(reads=tuple(reads), memory=memory()), nobody()
    sys.stdout.flush()
    enter.new_processes()
    pid = os.fork()
    if pid == 0:
        _become(argv, view, hidden, uid)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _become(argv: Sequence[str], view: View, hidden: Sequence[str], uid: int) -> None:
    code = FAILED
    try:
        inherit(0, 1, 2)
        environment = {name: os.environ[name] for name in ("PATH", "LC_ALL", "LANGUAGE", "TZ") if name in os.environ}
        enter.look(view, hidden, uid)
        kernel.die_with_parent(signal.SIGTERM)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        code = _NOT_STARTED
        os.execvpe(argv[0], tuple(argv), environment)  # noqa: S606  (there is no shell)
    except Refused as problem:
        sys.stderr.write(f"runner-agent: {problem.error}; {problem.do}\n")
    except OSError as problem:
        sys.stderr.write(f"runner-agent: {argv[0]!a} could not be started: {problem.strerror}\n")
    finally:
        sys.stderr.flush()
        os._exit(code)
