"""The door: which verb, which exit code, and the one place where a RunnerError is caught."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb and leave the process with its exit code (see `runner --help`)."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one verb; the exit code. Errors go to stderr, a bug with its traceback."""
    from runner.cli.verbs import parse

    # Whatever the umask of whoever calls: nobody else may write to what is made here.
    os.umask(os.umask(0o077) | 0o022)
    verb, options = parse(argv)
    try:
        return verb(options)
    except BrokenPipeError:
        # The reader has gone, as in `runner snapshots | head`. Python would try to flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 1
    except Exception as error:
        return _tell(error)


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
