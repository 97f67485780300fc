"""What a process may not have: memory, threads, open files. Python says it with many errors, people hear one."""

from __future__ import annotations

import errno
import resource
import threading
from types import CodeType

from runner.model.errors import RunnerError
from runner.model.text import size

_FILES = frozenset((errno.EMFILE, errno.ENFILE))
_START = threading.Thread.start.__code__


def plain(error: Exception) -> Exception:
    """The error itself, or a RunnerError in its place where this process may have no more of something.

    What was raised while it was dealt with counts as well: a want of memory hides behind other errors.
    """
    chain: list[BaseException] = [error]
    while before := chain[-1].__cause__ or chain[-1].__context__:
        if before in chain:
            break
        chain.append(before)
    return next((lack for each in chain if (lack := _lack_of(each))), error)


def _lack_of(error: BaseException) -> RunnerError | None:
    if isinstance(error, OSError) and error.errno in _FILES:
        return _lack("open files", resource.RLIMIT_NOFILE, "-n")
    limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    unmapped = isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError) and limited
    if unmapped or isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return _lack("memory", resource.RLIMIT_AS, "-v")
    if isinstance(error, RuntimeError) and _raised_in(error) is _START:
        # A thread needs memory for its stack, and counts as a process.
        return _lack("memory", resource.RLIMIT_AS, "-v") if limited else _lack("processes", resource.RLIMIT_NPROC, "-u")
    return None


def _lack(what: str, limit: int, option: str) -> RunnerError:
    most = resource.getrlimit(limit)[0]
    allowed = size(most) if limit == resource.RLIMIT_AS else f"{most:,}"
    may = f": it may have {allowed} (ulimit {option})" if most != resource.RLIM_INFINITY else ""
    return RunnerError(f"it ran out of {what}{may}", do="raise the limit, or free some, and run it again")


def _raised_in(error: BaseException) -> CodeType | None:
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    return last.tb_frame.f_code if last else None
