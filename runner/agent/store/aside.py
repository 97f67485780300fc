"""What lies aside in a store: snapshots that a person took out of the count, whole, with all that is known of them.

`.aside/` is laid out as the store is, so that one comes back by the same moves: the snapshot's folder in it, its
records in `records`, what its host was in `about`.
"""

from __future__ import annotations

import os
from pathlib import Path

from .. import durable
from . import inventory, received
from .layout import StoreFolder, folders, is_name, known_of, sealed


def names(store: StoreFolder) -> tuple[str, ...]:
    """The snapshots that lie aside, oldest first."""
    return folders(StoreFolder(store.aside))


def written_off(store: StoreFolder) -> tuple[str, ...]:
    """The snapshots that were lost and of which the record lies aside, oldest first: a person knows of them.

    Raises OSError where that cannot be seen.
    """
    try:
        known = {path.stem for path in records(store).iterdir() if path.suffix == ".json" and is_name(path.stem)}
    except FileNotFoundError:
        return ()
    return tuple(sorted(known.difference(names(store))))


def records(store: StoreFolder) -> Path:
    """Where their records are."""
    return store.aside / "records"


def about(store: StoreFolder, name: str) -> Path:
    """Where that is which the host of `name` was; need not be there."""
    return store.aside / "about" / name


def record(store: StoreFolder, name: str) -> Path:
    """The record of one that lies aside."""
    return records(store) / f"{name}.json"


def out(store: StoreFolder, name: str) -> None:
    """Take the sealed snapshot `name` out of the count. Cut off anywhere it is whole, and `tidy` does the rest."""
    durable.make_folder(store.aside, 0o700)
    # The folder first: without it a record counts for nothing.
    _move(store.root / name, store.aside / name)
    durable.sync_folder(store.root)
    durable.sync_folder(store.aside)
    follow(store, name)
    point_latest(store)


def follow(store: StoreFolder, name: str) -> None:
    """Put aside what is known of `name`."""
    durable.make_folder(store.aside, 0o700)
    durable.make_folder(records(store), 0o700)
    _rename(inventory.place(store, name), about(store, name))
    for path in known_of(store.records, name):
        path.rename(records(store) / path.name)
    durable.sync_folder(store.records)
    durable.sync_folder(records(store))


def back(store: StoreFolder, name: str) -> None:
    """Let it count again, records first, as a seal does. Cut off anywhere it lies aside still."""
    for path in known_of(records(store), name):
        path.rename(store.records / path.name)
    durable.make_folder(inventory.home(store), 0o700)
    _rename(about(store, name), inventory.place(store, name))
    durable.sync_folder(store.records)
    _move(store.aside / name, store.root / name)
    durable.sync_folder(store.aside)
    durable.sync_folder(store.root)
    point_latest(store)


def tidy(store: StoreFolder) -> None:
    """Finish what was cut off: what is known of a snapshot is where it is."""
    for name in names(store):
        if known_of(store.records, name) and not (store.root / name).exists():
            follow(store, name)


def everything(store: StoreFolder, name: str) -> tuple[Path, ...]:
    """All that lies aside of `name`, its folder last: until that has gone the rest is found."""
    home = about(store, name)
    return (*known_of(records(store), name), *((home,) if home.is_dir() else ()), store.aside / name)


def point_latest(store: StoreFolder) -> None:
    """Let `latest` name the newest that counts, and nothing where none does."""
    counted = sealed(store)
    if counted:
        durable.point(store.root / "latest", counted[-1], store.runner / "latest.tmp")
    elif (store.root / "latest").is_symlink():
        (store.root / "latest").unlink()


def _move(path: Path, to: Path) -> None:
    # No sealed snapshot is changed: not even the times of its top folder, whose `..` is written anew.
    with received.unchanged(path):
        path.rename(to)


def _rename(path: Path, to: Path) -> None:
    if os.path.lexists(path) and not os.path.lexists(to):
        durable.make_folder(to.parent, 0o700)
        path.rename(to)
