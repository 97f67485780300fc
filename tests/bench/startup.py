"""How long the runner takes to say its first word, beside an interpreter that does nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench.contenders import ROOT, RUNNER, environment
from tests.bench.measure import Failed

RUNS = 12
VERBS = {
    "pass": (sys.executable, "-c", "pass"),
    "help": (*RUNNER, "--help"),
    "validate": (*RUNNER, "validate"),
}


def start_up(folder: Path, *, runs: int = RUNS) -> Mapping[str, float]:
    """Seconds of wall time of each verb on the example site: the least of `runs`, taken in turn.

    The least, because whatever else the machine does can only add to it. One run more, not counted,
    fills the caches.
    """
    shutil.copy(ROOT / "jobs.toml", folder / "jobs.toml")
    least = dict.fromkeys(VERBS, float("inf"))
    for number in range(runs + 1):
        for name, argv in VERBS.items():
            begun = time.monotonic()
            done = subprocess.run(
                argv, cwd=folder, env=environment(folder), capture_output=True, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
            if done.returncode != 0:
                raise Failed(
                    f"runner {name} ended {done.returncode}: {done.stderr.decode('utf-8', 'replace')}"
                )
            if number:
                least[name] = min(least[name], time.monotonic() - begun)
    return least
