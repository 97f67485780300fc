"""The runner: the whole process as cron starts it, with all its children."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.meters.measure import Work
from tests.bench.peers.contender import MANY, Place, inside, on_disk

ROOT = Path(__file__).parents[3]
RUNNER = (sys.executable, "-m", "runner")
JOB, PRUNE_JOB, AUDIT_JOB = "backup-papio", "purge-papio", "audit-papio"
KEEPER = Path("sandbox/backup-server1")

SITE = """[site]
name       = "bench"
controller = "papio"
timezone   = "UTC"
live       = false
unattended = "expire"

[people]
admin = ["root@localhost"]

[sandbox]
papio = ["{source}"]

[hosts.papio]
filesystems = "all"

[hosts.backup-server1]

[stores.papio]
host = "backup-server1"
path = "/papio"
# All days of the bench are in one: as many a day count as there are, and the oldest goes first, as with one a day.
retention = {{ min = 1, max = {most}, per_day = 400 }}

[jobs.backup-papio]
kind      = "snapshot"
host      = "papio"
store     = "papio"
ownership = "numeric"
schedule  = "15 3 * * *"

[jobs.purge-papio]
kind     = "prune"
store    = "papio"
schedule = "30 6 * * *"

[jobs.audit-papio]
kind     = "audit"
store    = "papio"
every    = "1d"
schedule = "30 8 * * *"
"""


def environment(folder: Path) -> Mapping[str, str]:
    """What an installed runner has: its modules compiled once (kept in `folder`), nothing of the developer's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


@dataclass(kw_only=True, slots=True)
class Runner:
    """`runner run backup-papio`: facts, plan, guard, everything, record, seal, report.

    The folder of its place has jobs.toml and the sandbox, in which its disk is mounted.
    """

    place: Place
    name: str = "runner"

    def work(self, *, most: int = MANY) -> Work:
        """The whole process; where there are `most` already, with the prune job."""
        if self.copies() < most:
            return self._run(most, JOB)
        return self._run(most, JOB, PRUNE_JOB)

    def prune(self, *, most: int) -> Work:
        """The prune job alone, with `most` as its `max`."""
        return self._run(most, PRUNE_JOB)

    def audit(self) -> Work:
        """The audit of all of the store in one run."""
        return self._run(MANY, AUDIT_JOB)

    def ask(self, *words: str, most: int = MANY) -> Work:
        """`runner WORDS`."""
        self._site(most)
        return self._work((*RUNNER, *words))

    def restore(self, target: Path) -> Work:
        """All of it, compared; `target` is `side()`: a folder that is named would be asked about."""
        return self.folder(self.place.source, target)

    def folder(self, part: Path, target: Path) -> Work:
        """One file or folder of it, likewise."""
        return self.ask("restore", "papio", str(part))

    def restored(self, target: Path) -> Path:
        """In a folder by the name of the plan, with its whole path."""
        return inside(self.place, max(one for one in target.iterdir() if one.is_dir()) / "tree")

    def side(self) -> Path:
        """The folder of the sandbox's papio below which it restores."""
        return self.place.folder / "sandbox/papio/var/restored"

    def copies(self) -> int:
        """How many sealed snapshots there are."""
        return len(self._all())

    def newest(self) -> Path:
        """The last copy of the tree."""
        return inside(self.place, self._all()[-1])

    def oldest(self) -> Path:
        """The first copy of the tree."""
        return inside(self.place, self._all()[0])

    def _run(self, most: int, *jobs: str) -> Work:
        self._site(most)
        if not self.copies():
            self._plan(*jobs)
        # Runs and snapshots are named by the second.
        time.sleep(1)
        # What is removed need not be on the disk for a report; it is for the others, and so here.
        return self._work((*RUNNER, "run", *jobs), on_disk(self.place))

    def _plan(self, *jobs: str) -> None:
        """As a keeper does before the first day; its modules are compiled then, and not as a part of that day."""
        argv, place = (*RUNNER, "plan", *jobs), self.place.folder
        subprocess.run(argv, cwd=place, env=environment(place), check=False, capture_output=True)

    def _site(self, most: int) -> None:
        site = SITE.format(source=self.place.source, most=most)
        (self.place.folder / "jobs.toml").write_text(site, "utf-8")

    def _work(self, *commands: tuple[str, ...]) -> Work:
        # 3: it is done, and a person should look at something, such as a disk this small.
        return Work(
            commands=commands, folder=self.place.folder, environment=environment(self.place.folder), ok_codes=(0, 3)
        )

    def _all(self) -> list[Path]:
        return sorted(self.place.store.glob("[0-9]*Z"))
