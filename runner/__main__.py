"""The door: which verb, which exit code, and the one place where a RunnerError is caught."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb and leave the process with its exit code (see `runner --help`)."""
    # What is written must be closed to others, or the next call would refuse it.
    os.umask(os.umask(0o022) | 0o022)
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one verb; the exit code. Errors go to stderr, a bug with its traceback."""
    try:
        if not argv or argv[0].startswith("-"):
            return _run(argv)  # help, the version, a wrong line: nothing is obeyed
        from runner.tools import trust

        with trust.watched():
            return _run(argv)
    except BrokenPipeError:
        # The reader has gone, as in `runner snapshots | head`. Python would try to flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 1
    except Exception as error:
        return _tell(error)


def _run(argv: Sequence[str]) -> int:
    from runner.cli.verbs import parse

    verb, options = parse(argv)
    return verb(options)


def _tell(error: Exception) -> int:
    from runner.cli.show import complain
    from runner.model.errors import RunnerError
    from runner.model.text import printable

    if isinstance(error, RunnerError):
        complain(f"runner: {printable(str(error))}")
        return error.code
    import traceback

    traceback.print_exception(error)
    sys.stderr.write("runner: this is a bug in the runner; nothing more was done\n")
    return 70


if __name__ == "__main__":
    main()
