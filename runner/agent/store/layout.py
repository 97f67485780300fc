"""Where things are in a store, and which of its folders count as what."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import regular
from ..answer import Refused
from ..arguments import SNAPSHOT


class StoreFolder(NamedTuple):
    """A store's folder and the places in it; nothing here looks at the disk."""

    root: Path

    @property
    def partial(self) -> Path:
        """Where snapshots are while they are made."""
        return self.root / ".partial"

    @property
    def incoming(self) -> Path:
        """Where what is sent arrives: nothing in it shares an inode with anything sealed."""
        return self.root / ".incoming"

    @property
    def parts(self) -> Path:
        """Where rsync keeps the halves of big files."""
        return self.partial / "parts"

    @property
    def trash(self) -> Path:
        """What waits to be removed."""
        return self.root / ".trash"

    @property
    def aside(self) -> Path:
        """What a person took out of the count: whole snapshots, and what is known of them in `records` and `about`."""
        return self.root / ".aside"

    @property
    def runner(self) -> Path:
        """What the program knows about the store."""
        return self.root / ".runner"

    @property
    def records(self) -> Path:
        """One record and one list of checksums a sealed snapshot."""
        return self.runner / "records"

    @property
    def lock(self) -> Path:
        """The file that is locked while somebody works on the store."""
        return self.runner / "lock"

    @property
    def floor(self) -> Path:
        """The least number of clean snapshots that must stay."""
        return self.runner / "floor.json"

    @property
    def pins(self) -> Path:
        """Which snapshots are pinned, until when and why."""
        return self.runner / "pins.json"

    @property
    def proven(self) -> Path:
        """The last drill of each sort that succeeded."""
        return self.runner / "proven.json"

    @property
    def freed(self) -> Path:
        """What expiring the oldest would free, as last measured."""
        return self.runner / "freed.json"

    @property
    def left(self) -> Path:
        """Of each job the newest snapshot, where that expired and older ones stayed."""
        return self.runner / "left.json"

    @property
    def disk(self) -> Path:
        """On which disk the store was made."""
        return self.runner / "disk.json"

    @property
    def audit(self) -> Path:
        """How far the audit has come."""
        return self.runner / "audit.json"

    def begun(self, name: str) -> Path:
        """From what `begin` made the partial `name`."""
        return self.partial / f"{name}.json"

    def record(self, name: str) -> Path:
        """The record of snapshot `name`."""
        return self.records / f"{name}.json"

    def sums(self, name: str) -> Path:
        """The checksums of what snapshot `name` brought."""
        return self.records / f"{name}.sums.gz"

    def gone(self, name: str) -> Path:
        """The names that snapshot `name` does not share with the ones that it was made of."""
        return self.records / f"{name}.gone.gz"

    def owed(self, name: str) -> Path:
        """How many of its files lost their checksums with a snapshot that is gone."""
        return self.records / f"{name}.owed"

    def names(self, name: str) -> Path:
        """Every name in snapshot `name` with a digest of its attributes."""
        return self.records / f"{name}.names.gz"


def open_store(path: str) -> StoreFolder:
    """The store at `path`, with symbolic links above it resolved once. The folder need not exist."""
    return StoreFolder(Path(path).resolve())


def nearest(path: Path) -> Path:
    """`path` itself, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def is_name(text: str) -> bool:
    """Whether `text` is a snapshot's name: UTC, to the second, so that its order is that of time."""
    return SNAPSHOT.fullmatch(text) is not None


def folders(store: StoreFolder) -> tuple[str, ...]:
    """Every folder with a snapshot's name, oldest first, sealed or not."""
    return _named_folders(store.root)


def replaced(store: StoreFolder) -> tuple[str, ...]:
    """What has a snapshot's name and is no folder, such as a link: whatever it leads to is not this store's."""
    try:
        entries = [entry for entry in store.root.iterdir() if is_name(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(sorted(entry.name for entry in entries if entry.is_symlink() or not entry.is_dir()))


def sealed(store: StoreFolder) -> tuple[str, ...]:
    """The snapshots that count, oldest first: seal writes the record before it gives the name."""
    try:
        records = {entry.name for entry in store.records.iterdir()}
    except FileNotFoundError:
        return ()
    return tuple(name for name in folders(store) if f"{name}.json" in records)


def lost(store: StoreFolder) -> tuple[str, ...]:
    """The snapshots of which only the record is left, oldest first: what this program moves takes its record along.

    Raises OSError where one cannot be looked for everywhere: then nobody knows.
    """
    try:
        recorded = {entry.name[:-5] for entry in store.records.iterdir() if entry.name.endswith(".json")}
    except FileNotFoundError:
        return ()
    try:
        trash = {whose(entry) for entry in store.trash.iterdir()}
    except FileNotFoundError:
        trash = set()
    # One in the trash expired: its record follows it.
    known = sorted(name for name in recorded if is_name(name) and name not in trash)
    return tuple(name for name in known if not has_place(store, name))


def has_place(store: StoreFolder, name: str) -> bool:
    """Whether the snapshot `name` is there: it counts, is being made, or lies aside. Raises OSError."""
    return any(is_there(home / name) for home in (store.root, store.partial, store.aside))


def is_there(path: Path) -> bool:
    """Whether anything has this name. Raises OSError where that cannot be seen."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def whose(path: Path) -> str:
    """The snapshot that a record, a list, or what is in the trash belongs to, by its name."""
    return path.name.partition(".")[0]


def known_of(folder: Path, name: str) -> list[Path]:
    """The files in a folder of records that belong to `name`; none where there is no such folder."""
    return sorted(path for path in folder.iterdir() if whose(path) == name) if folder.is_dir() else []


def partials(store: StoreFolder) -> tuple[str, ...]:
    """The interrupted snapshots, oldest first; what a seal leaves there once it has given the name is none."""
    named = (name for name in _named_folders(store.partial) if store.record(name).exists())
    whole = {name for name in named if is_there(store.root / name)}
    return tuple(name for name in _named_folders(store.partial) if name not in whole)


def require_sealed(store: StoreFolder, *names: str) -> tuple[str, ...]:
    """The snapshots that count, as `sealed`; Refused unless all of `names` are among them."""
    counted = sealed(store)
    for name in names:
        if name not in counted:
            raise Refused(f"there is no sealed snapshot {name!a}", "`probe` lists those there are")
    return counted


def read_json(path: Path, most: int = regular.MOST) -> Mapping[str, Any]:
    """The JSON object in a file; empty if there is none, or if it is not one, or is longer than `most` bytes."""
    try:
        content = json.loads(regular.content(path, most))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def require_json(path: Path, do: str = "", most: int = regular.MOST) -> Mapping[str, Any]:
    """The JSON object in a file that guards snapshots; empty if there is none, Refused if it is not one.

    `do` is what to do then.
    """
    try:
        content = json.loads(regular.content(path, most))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError, regular.Irregular):
        content = None
    if not isinstance(content, dict):
        raise Refused(f"{path} cannot be understood", do or "correct it, or remove it if you know what was in it")
    return content


def is_clean(store: StoreFolder, name: str) -> bool:
    """Whether the sealed snapshot `name` is known to have no exceptions."""
    exceptions = read_json(store.record(name)).get("exceptions")
    return exceptions == 0 and not isinstance(exceptions, bool)


def _named_folders(path: Path) -> tuple[str, ...]:
    try:
        entries = [entry for entry in path.iterdir() if is_name(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(sorted(entry.name for entry in entries if entry.is_dir() and not entry.is_symlink()))


def room(store: StoreFolder) -> tuple[int, int, float, float]:
    """Free bytes and free inodes, and what percentage of all each is; statvfs(3).

    What the caller may use: root also the reserve. Percentages to two places, rounded down; 100 where
    a filesystem has no fixed number of inodes.
    """
    space = os.statvfs(nearest(store.root))
    free = space.f_bfree if os.geteuid() == 0 else space.f_bavail
    percent, inodes_percent = _percent(free, space.f_blocks), _percent(space.f_ffree, space.f_files)
    return free * space.f_frsize, space.f_ffree, percent, inodes_percent


def _percent(part: int, whole: int) -> float:
    return part * 10000 // whole / 100 if whole else 100.0
