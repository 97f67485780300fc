"""Bare rsync and rm, as a script of five lines has them; and with --insecure-links, as a yardstick."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.meters.measure import Work
from tests.bench.peers.contender import MANY, Place, copied, inside, on_disk

FAITHFUL = ("-aHAX", "--numeric-ids")
INSECURE = "--insecure-links"


def has_insecure() -> bool:
    """Whether this rsync has the walk that --insecure-links leaves out: 3.5 has."""
    said = subprocess.run(("rsync", "--help"), check=True, capture_output=True, text=True).stdout
    return INSECURE in said


@dataclass(kw_only=True, slots=True)
class BareRsync:
    """`rsync -aHAX --numeric-ids --link-dest`, `rm -rf` of the oldest, `sync -f`."""

    place: Place
    name: str = "rsync"
    options: tuple[str, ...] = ()
    made: list[str] = field(default_factory=list)
    number: int = 0

    def work(self, *, most: int = MANY) -> Work:
        """The next snapshot, sharing with the last."""
        shared = (f"--link-dest={self.newest()}",) if self.made else ()
        self.number += 1
        self.made.append(f"2026-01-01T{self.number:06}Z")
        self.newest().mkdir(parents=True)
        argv = ("rsync", *FAITHFUL, *self.options, *shared, "--", f"{self.place.source}/", f"{self.newest()}/")
        gone = (self._remove(),) if len(self.made) > most else ()
        return Work(commands=(argv, *gone, on_disk(self.place)), folder=self.place.folder)

    def look(self) -> Work:
        """The limit: what differs between the source and the last copy, reading only."""
        argv = ("rsync", *FAITHFUL, "--dry-run", "--itemize-changes", "--delete", "--", f"{self.place.source}/")
        return Work(commands=((*argv, f"{self.newest()}/"),), folder=self.place.folder)

    def prune(self, *, most: int) -> Work:
        """`rm -rf` of the oldest, where there are more than `most`."""
        gone = (self._remove(),) if len(self.made) > most else ()
        return Work(commands=(*gone, on_disk(self.place)), folder=self.place.folder)

    def copies(self) -> int:
        """How many copies there are on the disk."""
        return len(list(self.place.store.glob("[0-9]*Z")))

    def newest(self) -> Path:
        """The last copy of the tree."""
        return inside(self.place, self.place.store / self.made[-1])

    def oldest(self) -> Path:
        """The first copy of the tree."""
        return inside(self.place, self.place.store / self.made[0])

    def restore(self, target: Path) -> Work:
        """All of it."""
        return copied(self.place, self.newest(), target)

    def folder(self, part: Path, target: Path) -> Work:
        """One folder of it, then rsync's own compare, by content."""
        ends = ("--", f"{self.newest() / part.relative_to(self.place.source)}/", f"{target}/")
        compare = ("rsync", *FAITHFUL, "--dry-run", "--itemize-changes", "--checksum", "--delete", *ends)
        return Work(commands=(("rsync", *FAITHFUL, *ends), compare), folder=self.place.folder)

    def restored(self, target: Path) -> Path:
        """As it was asked for."""
        return target

    def _remove(self) -> tuple[str, ...]:
        return ("rm", "-rf", "--", str(self.place.store / self.made.pop(0)))
