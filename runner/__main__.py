"""The door: which verb, which exit code, and the one place where a RunnerError is caught."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

_STANDARD = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
_MEMORY = b"runner: it ran out of memory\n  -> raise the limit (ulimit -v), or free some, and run it again\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb and leave the process with its exit code (see `runner --help`)."""
    _open_standard_files()
    # What is written must be closed to others, or the next call would refuse it.
    os.umask(os.umask(0o022) | 0o022)
    try:
        code = run(sys.argv[1:] if argv is None else argv)
    finally:
        _let_go()
        # All of it goes with the process: to look for what could go before took a tenth of a verb.
        gc.freeze()
    sys.exit(code)


def run(argv: Sequence[str]) -> int:
    """Run one verb; the exit code. Errors go to stderr, a bug with its traceback."""
    try:
        if not argv or argv[0].startswith("-"):
            return _run(argv)  # help, the version, a wrong line: nothing is obeyed
        from runner.tools import trust

        with trust.watched():
            return _run(argv)
    except BrokenPipeError:
        return 0  # the reader has gone, as in `runner snapshots | head`
    except KeyboardInterrupt:
        # Before a verb listens to it, or after: a run that has begun ends by itself, and reports.
        return _say(b"runner: interrupted\n")
    except Exception as error:
        try:
            return _tell(error)
        except MemoryError:
            return _say(_MEMORY)
        except ImportError as missing:
            # Where memory is limited a part of Python may not be loaded for want of it; else a file of it is broken.
            if isinstance(missing, ModuleNotFoundError) or not _is_limited():
                raise
            return _say(_MEMORY)


def _run(argv: Sequence[str]) -> int:
    from runner.cli.verbs import parse

    verb, options = parse(argv)
    return verb(options)


def _tell(error: Exception) -> int:
    from runner.cli.terminal.show import complain
    from runner.model.errors import RunnerError
    from runner.model.text import printable
    from runner.tools.lack import plain

    error = plain(error)
    if isinstance(error, RunnerError):
        complain(f"runner: {printable(error.text)}", printable(error.do), printable(error.command))
        return error.code
    import traceback

    complain("".join(traceback.format_exception(error)) + "runner: this is a bug in the runner; nothing more was done")
    return 70


def _is_limited() -> bool:
    try:
        import resource
    except (ImportError, MemoryError):
        return True
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def _say(text: bytes) -> int:
    with suppress(OSError):  # where nobody listens the exit code says it
        os.write(2, text)
    return 1


def _open_standard_files() -> None:
    """Open those of the numbers 0, 1 and 2 that are closed: a file that gets such a number would be written into."""
    for number, (name, mode) in enumerate(_STANDARD):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _let_go() -> None:
    """Give away what is written and not given yet; where nobody takes it Python would try again, and end with 120."""
    for name, _ in _STANDARD[1:]:
        stream = getattr(sys, name)
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
