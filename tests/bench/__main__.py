"""The bench: python -m tests.bench [--quick]; prints a table.

Leaves with 0 if every threshold holds, 1 if one is broken, 2 if a command that was measured failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench import table
from tests.bench.compare import Contest, compare
from tests.bench.figures import claims
from tests.bench.measure import Failed
from tests.bench.startup import start_up

FULL, SMALLER, QUICK = 100_000, (1000, 10_000), 5000
COUNTED_UP_TO = 10_000
PEERS = ("rsnapshot", "rsnapshot-cp")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    options = _options(argv)
    # Ended from outside, it still unmounts its disks.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _measured(options)
    except Failed as error:
        _say(str(error))
        return 2


def _measured(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as name:
        folder = Path(name)
        start = start_up(folder)
        trees = [compare(_contest(options, files), folder, _say) for files in _sizes(options)]
    held = claims(trees, start)
    print("\n".join(("", *table.lines(trees, start, held))))
    return 0 if all(claim.holds for claim in held) else 1


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK} files, 2 days and one at max, rsync and the runner only"
    )
    parser.add_argument(
        "--files", type=int, metavar="N", help=f"one tree of N files (default {FULL}, after smaller ones)"
    )
    parser.add_argument("--days", type=int, metavar="N", help="days to measure (default 5, quick 2)")
    parser.add_argument(
        "--only", nargs="*", choices=PEERS, metavar="NAME", help=f"which of {', '.join(PEERS)}, or none"
    )
    parser.add_argument("--plain", action="store_true", help="plain folders, no disks: needs no root, tells no bytes")
    parser.add_argument("--cold", action="store_true", help="empty the machine's caches before each day (root)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to work (default: the temporary folder)")
    return parser.parse_args(argv)


def _sizes(options: argparse.Namespace) -> tuple[int, ...]:
    if options.files:
        return (options.files,)
    return (QUICK,) if options.quick else (*SMALLER, FULL)


def _contest(options: argparse.Namespace, files: int) -> Contest:
    root = os.geteuid() == 0
    able = shutil.which("rsnapshot") and root and not options.quick
    peers = tuple(name for name in PEERS if able and name in (PEERS if options.only is None else options.only))
    return Contest(
        files=files,
        days=options.days or (2 if options.quick else 5),
        names=("rsync", "runner", *peers),
        disks=root and not options.plain,
        count_calls=bool(shutil.which("strace")) and files <= COUNTED_UP_TO and not options.quick,
        cold=options.cold and root,
        at_max=1 if options.quick else 3,
        prunes=1 if options.quick else 3,
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
