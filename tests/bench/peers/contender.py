"""What every contender can do: a day's work, and give back what it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.bench.meters.disk import Disk
from tests.bench.meters.measure import Work

MANY = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a contender works: its folder (settings, logs, caches), the tree to copy, and its disk."""

    folder: Path
    source: Path
    disk: Disk

    @property
    def store(self) -> Path:
        """The folder of its copies: where its disk is mounted, as the guide has it."""
        return self.disk.mount


class Contender(Protocol):
    """Somebody who copies the source every day and keeps so many copies."""

    @property
    def name(self) -> str:
        """As the tables call it."""
        ...

    @property
    def place(self) -> Place:
        """Where it works."""
        ...

    def work(self, *, most: int = MANY) -> Work:
        """The next copy; where there are `most` already, the oldest goes. What was written is on the disk then."""
        ...

    def copies(self) -> int:
        """How many copies there are."""
        ...

    def newest(self) -> Path | None:
        """The last copy, where it lies as files; None where it does not."""
        ...

    def oldest(self) -> Path | None:
        """The first copy, where it lies as files and is one that may be looked at."""
        ...

    def restore(self, target: Path) -> Work:
        """Get all of the last copy back; `target` is a new folder."""
        ...

    def restored(self, target: Path) -> Path:
        """Where the source's own folder is then."""
        ...


def on_disk(place: Place) -> tuple[str, ...]:
    """The command that ends a day: a copy that is not on the disk is none."""
    return ("sync", "-f", str(place.store))


def inside(place: Place, copy: Path) -> Path:
    """The source's folder in a copy that keeps whole paths."""
    return copy / str(place.source).lstrip("/")


def copied(place: Place, newest: Path, target: Path) -> Work:
    """rsync back out of a copy that lies as files."""
    argv = ("rsync", "-aHAX", "--numeric-ids", "--", f"{newest}/", f"{target}/")
    return Work(commands=(argv,), folder=place.folder)
