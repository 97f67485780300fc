"""Who runs against whom: bare rsync with the runner's own options, the runner, rsnapshot in its two ways."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.tools import rsync
from tests.bench.disk import Disk
from tests.bench.measure import Work

ROOT = Path(__file__).parent.parent.parent
JOB, PRUNE_JOB = "backup-papio", "purge-papio"
MANY = 400

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
path = "/disk/papio"
retention = {{ min = 1, max = {most} }}

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
"""

RSNAPSHOT = """config_version	1.2
snapshot_root	{root}/
no_create_root	1
cmd_rsync	/usr/bin/rsync
cmd_cp	/bin/cp
cmd_rm	/bin/rm
retain	daily	{most}
verbose	1
loglevel	1
lockfile	{lock}
link_dest	{link_dest}
one_fs	1
rsync_short_args	-aHAXS
rsync_long_args	--delete --numeric-ids --relative --modify-window=-1 --no-inc-recursive
backup	{source}/	localhost/
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a contender works: its folder, the tree to copy, and its disk."""

    folder: Path
    source: Path
    disk: Disk


# The sandbox's store is here. Everybody's disk is mounted as deep: for every link rsync 3.5 walks down
# all of the --link-dest path, so that a copy one folder higher would be a cheaper copy.
MOUNT = Path("sandbox/backup-server1/disk")


@dataclass(kw_only=True, slots=True)
class BareRsync:
    """One rsync with the options of a plan, and `sync -f`: a copy that is not on the disk is none."""

    place: Place
    made: list[str] = field(default_factory=list)
    number: int = 0
    name = "rsync"

    def work(self, *, most: int = MANY) -> Work:
        """The next snapshot, sharing with the last; where there are `most` already, the oldest goes."""
        store = self._store()
        link_dest = (str(self.newest()),) if self.made else ()
        self.number += 1
        self.made.append(f"2026-01-01T{self.number:06}Z")
        self.newest().mkdir(parents=True)
        ends = rsync.Ends(source=f"{self.place.source}/", target=f"{self.newest()}/")
        argv = rsync.send(ends, link_dest=link_dest, exclude=(), keep_parts=str(store / "parts"))
        gone = (self._remove(),) if len(self.made) > most else ()
        return Work(commands=(argv, *gone, ("sync", "-f", str(store))), folder=self.place.folder)

    def prune(self, *, most: int) -> Work:
        """`rm -rf` of the oldest, where there are more than `most`."""
        gone = (self._remove(),) if len(self.made) > most else ()
        return Work(commands=(*gone, ("sync", "-f", str(self._store()))), folder=self.place.folder)

    def copies(self) -> int:
        """How many copies there are on the disk."""
        return len(list(self._store().glob("[0-9]*Z")))

    def newest(self) -> Path:
        """The last copy of the tree."""
        return self._copy(self.made[-1])

    def oldest(self) -> Path:
        """The first copy of the tree."""
        return self._copy(self.made[0])

    def _remove(self) -> tuple[str, ...]:
        return ("rm", "-rf", "--", str(self._store() / self.made.pop(0)))

    def _copy(self, name: str) -> Path:
        return self._store() / name / str(self.place.source).lstrip("/")

    def _store(self) -> Path:
        return self.place.disk.mount / "papio"


@dataclass(kw_only=True, slots=True)
class Runner:
    """`runner run backup-papio`: facts, plan, guard, rsync, record, seal, report."""

    place: Place
    _measured_before: int = 0
    name = "runner"

    def work(self, *, most: int = MANY) -> Work:
        """The whole process, as cron starts it; where there are `most` already, with the prune job."""
        if self.copies() < most:
            return self._run(MANY, JOB)
        # The plan counts before the snapshot is made: one that is over max goes, and one comes.
        return self._run(most - 1, JOB, PRUNE_JOB)

    def prune(self, *, most: int) -> Work:
        """The prune job alone, with `most` as its `max`."""
        return self._run(most, PRUNE_JOB)

    def measuring(self) -> Work | None:
        """The walk that tells the next plan what the oldest free, by itself, if the last run ended with it."""
        if self._measured() == self._measured_before:
            return None
        program = self.place.folder / "sandbox/backup-server1/usr/local/sbin/runner-agent"
        return Work(
            commands=((str(program), "freed", str(self._store()), "--exact"),),
            folder=self.place.folder,
            environment=environment(self.place.source.parent),
        )

    def _measured(self) -> int:
        told = self._store() / ".runner/freed.json"
        return told.stat().st_mtime_ns if told.exists() else 0

    def _store(self) -> Path:
        return self.place.disk.mount / "papio"

    def _run(self, most: int, *jobs: str) -> Work:
        site = SITE.format(source=self.place.source, most=most)
        (self.place.folder / "jobs.toml").write_text(site, "utf-8")
        self._measured_before = self._measured()
        # Runs and snapshots are named by the second.
        time.sleep(1)
        # What is removed need not be on the disk for a report; it is for the others, and so here.
        end = (("sync", "-f", str(self._store())),) if PRUNE_JOB in jobs else ()
        return Work(
            commands=((*RUNNER, "run", *jobs), *end),
            folder=self.place.folder,
            environment=environment(self.place.source.parent),
            # 3: the snapshot is sealed and a person should look at something, such as a disk this small.
            ok_codes=(0, 3),
        )

    def copies(self) -> int:
        """How many sealed snapshots there are."""
        return len(self._all())

    def newest(self) -> Path:
        """The last copy of the tree."""
        return self._all()[-1] / str(self.place.source).lstrip("/")

    def oldest(self) -> Path:
        """The first copy of the tree."""
        return self._all()[0] / str(self.place.source).lstrip("/")

    def _all(self) -> list[Path]:
        return sorted(self._store().glob("[0-9]*Z"))


@dataclass(kw_only=True, slots=True)
class Rsnapshot:
    """rsnapshot with the same rsync options, by --link-dest or in its default way, `cp -al`."""

    place: Place
    link_dest: bool
    name: str

    def work(self, *, most: int = MANY) -> Work:
        """`rsnapshot daily` with `retain daily` of `most`, and `sync -f`."""
        store, folder = self.place.disk.mount, self.place.folder
        config = folder / "rsnapshot.conf"
        config.write_text(
            RSNAPSHOT.format(
                root=store, lock=folder / "lock", link_dest=int(self.link_dest), source=self.place.source, most=most
            ),  # fmt: skip
            "utf-8",
        )
        daily = ("rsnapshot", "-c", str(config), "daily")
        return Work(commands=(daily, ("sync", "-f", str(store))), folder=folder)

    def newest(self) -> Path:
        """The last copy of the tree."""
        return self._copy(0)

    def oldest(self) -> Path:
        """The first copy of the tree."""
        return self._copy(self.copies() - 1)

    def copies(self) -> int:
        """How many there are."""
        return len(list(self.place.disk.mount.glob("daily.*")))

    def _copy(self, number: int) -> Path:
        return self.place.disk.mount / f"daily.{number}" / "localhost" / str(self.place.source).lstrip("/")


Contender = BareRsync | Runner | Rsnapshot
RUNNER = (sys.executable, "-m", "runner")


def environment(folder: Path) -> Mapping[str, str]:
    """What an installed runner has: its modules compiled once (kept in `folder`), nothing of the developer's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def contender(name: str, place: Place) -> Contender:
    """The contender of this name: rsync, runner, rsnapshot, rsnapshot-cp."""
    if name == "rsync":
        return BareRsync(place=place)
    if name == "runner":
        return Runner(place=place)
    return Rsnapshot(place=place, link_dest=name == "rsnapshot", name=name)
