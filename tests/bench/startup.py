"""How long the runner takes to say its first word, beside an interpreter that does nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.bench.meters.disk import Disk
from tests.bench.meters.measure import Meter, Work
from tests.bench.peers.ours import ROOT, RUNNER, environment

RUNS = 12
VERBS = {"pass": (sys.executable, "-c", "pass"), "help": (*RUNNER, "--help"), "validate": (*RUNNER, "validate")}


def start_up(folder: Path, meter: Meter, *, runs: int = RUNS) -> Mapping[str, float]:
    """Processor seconds of each verb on the example site: the least of `runs`, taken in turn.

    On an idle machine that is the time a person waits, since a start waits for nothing; on a busy one it
    is what can still be told. One run more, not counted, fills the caches.
    """
    shutil.copy(ROOT / "jobs.toml", folder / "jobs.toml")
    least = dict.fromkeys(VERBS, float("inf"))
    for number in range(runs + 1):
        for name, argv in VERBS.items():
            work = Work(commands=(argv,), folder=folder, environment=environment(folder))
            spent = meter.measure(work, Disk(mount=folder), folder / "errors").cpu
            if number:
                least[name] = min(least[name], spent)
    return least
