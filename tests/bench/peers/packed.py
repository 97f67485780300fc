"""Peers that keep their copies in a way of their own: rdiff-backup, borg, restic."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.meters.measure import Work
from tests.bench.peers.contender import MANY, Place, inside, on_disk


@dataclass(kw_only=True, slots=True)
class RdiffBackup:
    """rdiff-backup: the last copy as files, the older ones as differences to it."""

    place: Place
    name: str = "rdiff-backup"

    def work(self, *, most: int = MANY) -> Work:
        """A backup, and the end of the oldest."""
        # Increments are named by the second.
        time.sleep(1)
        store = str(self.place.store / "mirror")
        backup = ("rdiff-backup", "backup", str(self.place.source), store)
        remove = ("rdiff-backup", "--force", "remove", "increments", "--older-than", f"{most - 1}B", store)
        gone = (remove,) if self.copies() >= most else ()
        return Work(commands=(backup, *gone, on_disk(self.place)), folder=self.place.folder)

    def copies(self) -> int:
        """How many times can be restored."""
        return len(list((self.place.store / "mirror/rdiff-backup-data").glob("mirror_metadata.*")))

    def newest(self) -> Path | None:
        """Its mirror has its own folder in it: see `restore`."""
        return None

    def oldest(self) -> Path | None:
        """No tree."""
        return None

    def restore(self, target: Path) -> Work:
        """All of the last one."""
        argv = ("rdiff-backup", "restore", "--at", "now", str(self.place.store / "mirror"), str(target / "all"))
        return Work(commands=(argv,), folder=self.place.folder)

    def restored(self, target: Path) -> Path:
        """It makes its folder itself."""
        return target / "all"


@dataclass(kw_only=True, slots=True)
class Borg:
    """borg 1, not encrypted, as it compresses by itself (lz4); its cache is in its folder, not on its disk."""

    place: Place
    name: str = "borg"
    number: int = 0

    def work(self, *, most: int = MANY) -> Work:
        """An archive, and prune and compact."""
        first = () if self.number else (("borg", "init", "--encryption", "none", self._repository()),)
        full = self.copies() >= most
        self.number += 1
        create = ("borg", "create", "--numeric-ids", "--one-file-system", self._archive(), str(self.place.source))
        prune = ("borg", "prune", "--keep-last", str(most), self._repository())
        gone = (prune, ("borg", "compact", self._repository())) if full else ()
        return self._work((*first, create, *gone, on_disk(self.place)))

    def copies(self) -> int:
        """How many archives there are."""
        return self.number and _lines(("borg", "list", "--short", self._repository()), self._environment())

    def newest(self) -> Path | None:
        """No tree."""
        return None

    def oldest(self) -> Path | None:
        """No tree."""
        return None

    def restore(self, target: Path) -> Work:
        """All of the last one."""
        extract = ("borg", "extract", "--numeric-ids", self._archive())
        return Work(commands=(extract,), folder=target, environment=self._environment())

    def restored(self, target: Path) -> Path:
        """Below the target with its whole path."""
        return inside(self.place, target)

    def _repository(self) -> str:
        return str(self.place.store / "repository")

    def _archive(self) -> str:
        return f"{self._repository()}::day{self.number}"

    def _work(self, commands: tuple[tuple[str, ...], ...]) -> Work:
        return Work(commands=commands, folder=self.place.folder, environment=self._environment())

    def _environment(self) -> Mapping[str, str]:
        known = {"BORG_BASE_DIR": str(self.place.folder), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
        return {**os.environ, **known}


@dataclass(kw_only=True, slots=True)
class Restic:
    """restic, which always encrypts; its cache is in its folder, not on its disk."""

    place: Place
    name: str = "restic"
    made: bool = False

    def work(self, *, most: int = MANY) -> Work:
        """A snapshot, and forget with prune."""
        first = () if self.made else (self._restic("init"),)
        full = self.copies() >= most
        self.made = True
        backup = self._restic("backup", "--one-file-system", str(self.place.source))
        gone = (self._restic("forget", "--keep-last", str(most), "--prune"),) if full else ()
        commands = (*first, backup, *gone, on_disk(self.place))
        return Work(commands=commands, folder=self.place.folder, environment=self._environment())

    def copies(self) -> int:
        """How many snapshots there are."""
        return len(list((self.place.store / "repository/snapshots").glob("*")))

    def newest(self) -> Path | None:
        """No tree."""
        return None

    def oldest(self) -> Path | None:
        """No tree."""
        return None

    def restore(self, target: Path) -> Work:
        """All of the last one."""
        argv = self._restic("restore", "latest", "--target", str(target))
        return Work(commands=(argv,), folder=self.place.folder, environment=self._environment())

    def restored(self, target: Path) -> Path:
        """Below the target with its whole path."""
        return inside(self.place, target)

    def _restic(self, *words: str) -> tuple[str, ...]:
        return ("restic", "--quiet", "-r", str(self.place.store / "repository"), *words)

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, "RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(self.place.folder / "cache")}


def _lines(argv: tuple[str, ...], environment: Mapping[str, str]) -> int:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=environment)
    return len(done.stdout.splitlines())
