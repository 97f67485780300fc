"""A dump by runner-agent beside a bare pg_dump of the same database: python -m tests.bench.dump.

Leaves with 0 if the dump itself costs no more than LIMIT times the bare one, 1 otherwise. Reading the dump
again, which a bare pg_dump leaves out, is measured apart (as the two programs of PostgreSQL that do it, one
after the other) and taken off. What is left has Python's start, a session that counts the rows and the
sync of the file in it. Nobody else's start is in any figure. On a machine that others use too, have it
scheduled before them: chrt --rr 5 python -m tests.bench.dump
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.contract import pg
from tests.contract.dump_parts import Dumps, folder
from tests.contract.storehouse import ENVIRONMENT

LIMIT = 1.05
MEMORY = 64 << 20
_PYTHON = ("/usr/bin/python3", "-c", "pass")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The least of several runs taken in turn, in seconds; `memory` is the most of any process, in bytes."""

    bare: float
    whole: float
    again: float
    start: float
    sync: float
    memory: int

    @property
    def ratio(self) -> float:
        """What a dump costs beside a bare one, without reading it again."""
        return (self.whole - self.again) / self.bare


def measured(scale: int, runs: int) -> Figures:
    """Dump pgbench's tables of that scale both ways, `runs` times; one run more fills the caches."""
    bare, whole, again, start, sync, memory = [], [], [], [], [], 0
    with pg.cluster() as cluster, folder(cluster) as dumps:
        cluster.run("createdb", "bench")
        cluster.run("pgbench", "-i", "-q", "-s", str(scale), "bench")
        for number in range(runs + 1):
            kept = cluster.folder / "bare.dump"
            begun = _timed(_PYTHON, cluster)
            took = _timed(("pg_dump", "-Fc", "-f", str(kept), "-d", "bench"), cluster)
            synced = _synced(kept)
            seconds, most = _ours(dumps, number)
            listing = _timed(("pg_restore", "-f", "/dev/null", str(kept)), cluster)
            listing += _timed(("pg_restore", "--list", str(kept)), cluster)
            if number:
                bare.append(took)
                whole.append(seconds)
                again.append(listing)
                start.append(begun)
                sync.append(synced)
                memory = max(memory, most)
            kept.unlink()
    return Figures(bare=min(bare), whole=min(whole), again=min(again), start=min(start), sync=min(sync), memory=memory)


def _synced(path: Path) -> float:
    begun = time.monotonic()
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return time.monotonic() - begun


def _timed(argv: Sequence[str], cluster: pg.Cluster) -> float:
    user = cluster.user if os.geteuid() == 0 else None
    begun = time.monotonic()
    process = subprocess.Popen(
        (str(cluster.bin / argv[0]), *argv[1:]), env=cluster.environment, stdout=subprocess.DEVNULL, cwd="/",
        user=user, group=user, extra_groups=[] if user else None,
    )  # fmt: skip
    code = process.wait()
    seconds = time.monotonic() - begun
    if code:
        raise subprocess.CalledProcessError(code, argv)
    return seconds


def _ours(dumps: Dumps, number: int) -> tuple[float, int]:
    """Seconds, and the most memory of the program and what it started."""
    argv = dumps.argv("dump", f"2026-11-23T07{number:02}00Z", "bench")
    begun = time.monotonic()
    process = subprocess.Popen(argv, env=ENVIRONMENT, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)
    return seconds, used.ru_maxrss * 1024


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.dump", description=__doc__)
    parser.add_argument("--scale", type=int, default=20, help="pgbench's scale: 100,000 rows each")
    parser.add_argument("--runs", type=int, default=7, help="how often; the least counts")
    options = parser.parse_args(argv)
    found = measured(options.scale, options.runs)
    print(f"pgbench scale {options.scale}: bare pg_dump {found.bare:.2f} s, runner-agent dump {found.whole:.2f} s, "
          f"of which reading it again {found.again:.2f} s")  # fmt: skip
    print(f"what is in it and not in the bare one: Python's start {found.start * 1000:.0f} ms, "
          f"sync of the file {found.sync * 1000:.0f} ms")  # fmt: skip
    print(f"ratio without reading again {found.ratio:.2f} (at most {LIMIT}), memory {found.memory >> 20} MiB")
    return 0 if found.ratio <= LIMIT and found.memory <= MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
