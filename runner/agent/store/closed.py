"""Whether anybody but root may enter a store. Owners in a snapshot are another machine's numbers: here they are
other people, and a program that ran as root there would do so here.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from .. import tree
from ..answer import Refused, reply
from ..arguments import parse_as
from . import inventory
from .contract.close import Close, Closed
from .layout import StoreFolder, is_name, open_store

MODE, LATEST = 0o700, "latest"
OURS = frozenset((".runner", ".incoming", ".partial", ".trash", ".aside", LATEST, "lost+found"))


def open_places(store: StoreFolder) -> tuple[str, ...]:
    """The folders of the store, without its snapshots, that somebody else may enter; none of what is no store yet."""
    return () if not _is_store(store) else tuple(str(path) for path in _places(store) if _is_open(path))


def foreign(store: StoreFolder) -> tuple[str, ...]:
    """What is in the store's folder beside it, for which others may have to enter, `latest` first. Reads only."""
    try:
        names = [path.name for path in store.root.iterdir() if not _is_own(path)]
    except OSError:
        return ()
    return tuple(sorted(names, key=lambda name: (name != LATEST, name)))


def close(store: StoreFolder) -> tuple[str, ...]:
    """Let nobody else enter; give what was open. Nothing is done to a folder in which there is something else too.

    What cannot be closed stays in `open_places`: that keeps no snapshot from being made.
    """
    there = () if foreign(store) else open_places(store)
    for path in there:
        with contextlib.suppress(OSError):
            folder = os.open(path, tree.FOLDER)
            try:
                if os.geteuid() == 0:
                    os.fchown(folder, 0, 0)
                os.fchmod(folder, MODE)
            finally:
                os.close(folder)
    return there


def run(argv: Sequence[str]) -> int:
    """Give the folders of a store to root alone, mode 0700; print which were open. Needs no lock."""
    store = open_store(parse_as(Close, argv).store)
    if not _is_store(store):
        raise Refused(f"{store.root} is no store", "name the folder that has .runner in it")
    reply(Closed(close(store), open_places(store)))
    return 0


def _is_store(store: StoreFolder) -> bool:
    return store.runner.is_dir() and not store.runner.is_symlink()


def _places(store: StoreFolder) -> tuple[Path, ...]:
    known = (store.runner, store.records, inventory.home(store), store.incoming, store.partial)
    return (store.root, *known, store.parts, store.trash, store.aside)


def _is_open(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    own = os.geteuid()
    # Who is not root can only close what is his own.
    mine = own in (status.st_uid, 0)
    return stat.S_ISDIR(status.st_mode) and mine and (bool(status.st_mode & 0o077) or status.st_uid != own)


def _is_own(path: Path) -> bool:
    # `latest` is a link of ours, or nothing of ours.
    return is_name(path.name) or (path.name in OURS and (path.name != LATEST or path.is_symlink()))
