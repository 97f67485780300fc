"""A bug of ours that a host or a job brought to light: held to that one, and told so that its makers can mend it."""

from __future__ import annotations

import traceback

from runner.model.errors import RunnerError
from runner.model.text import excerpt, one_line, printable
from runner.tools.lack import plain

MEND = "send this, and the log, to the makers"
_TRACE = 4096
_SHOWN = 200


def words(error: Exception) -> str:
    """A line that says what was raised, and where; of a want of memory or files, that."""
    lack = plain(error)
    if isinstance(lack, RunnerError):
        return lack.text
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    return one_line(f"a bug in the runner: {excerpt(repr(error), _SHOWN)}{place}")


def or_lack(error: Exception) -> Exception:
    """The bug itself; raises the RunnerError where it is a want of memory or files, which is no host's nor job's."""
    if isinstance(lack := plain(error), RunnerError):
        raise lack
    return error


def trace(error: Exception) -> str:
    """Its traceback for a log, the end of it; "" for a want of memory or files."""
    if isinstance(plain(error), RunnerError):
        return ""
    return printable("".join(traceback.format_exception(error))[-_TRACE:])
