"""What leaves the count hands on the checksums of what others share; what it could not hand on stays counted."""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from typing import Optional

from .. import durable, tree
from ..answer import Refused
from ..inodes import Inodes
from ..snapshots.sums import sum_lines
from ..store.layout import StoreFolder, require_json, sealed
from .bequest import ListOfSums, bequeath
from .coverage import Listed, brought


def hand_on(store: StoreFolder, name: str) -> Optional[int]:  # noqa: UP045
    """Before the sealed snapshot `name` goes: give each heir its lines, and note what of its files has none now.

    Returns how many lines went on, None where not all could. Reads the tree of `name` only where something lacks.
    """
    counted = sealed(store)
    older, later = counted[: counted.index(name)], counted[counted.index(name) + 1 :]
    lines = ListOfSums(store, name)
    inherited = bequeath(store, name, later, lines)
    if later and (inherited is None or brought(store, name, Listed(lines.lines, 0)).lines > lines.lines):
        now = _listed(store, name)
        had = brought(store, name, now)
        lacked = had if inherited is None else Listed(had.lines - now.lines, max(0, had.bytes - now.bytes))
        try:
            _owe(store, name, later[0], _shared_unlisted(store, name, older[-1:], later[0], lacked))
        except (OSError, Refused):
            # It must not keep a full disk full; and debts that cannot be understood are not written over.
            return None
    return inherited


def _listed(store: StoreFolder, name: str) -> Listed:
    lines = size = 0
    try:
        for line in sum_lines(store, name):
            lines, size = lines + 1, size + line.size
    except (OSError, EOFError, zlib.error):
        return Listed(0, 0)
    return Listed(lines, size)


def _shared_unlisted(store: StoreFolder, name: str, older: Sequence[str], heir: str, most: Listed) -> Listed:
    """How many files of `name` the heir shares, no older snapshot has, and no list knows; `most` where a look failed.

    A file of several names has one line. One that came without a checksum is no other than one that lost it.
    """
    listed: set[bytes]
    try:
        listed = {line.path for line in sum_lines(store, heir)}
    except (OSError, EOFError, zlib.error):
        listed = set()
    known, lacking = set(), {}
    try:
        with contextlib.ExitStack() as opened:
            in_heir, *in_older = (opened.enter_context(Inodes(store.root / each)) for each in (heir, *older))
            for path, status in _several_names(store, name):
                if path in listed:
                    known.add(status.st_ino)
                elif in_heir.of(path) == status.st_ino and all(each.of(path) != status.st_ino for each in in_older):
                    lacking[status.st_ino] = status.st_size
    except OSError:
        return most
    sizes = [size for inode, size in lacking.items() if inode not in known]
    return Listed(min(len(sizes), most.lines), sum(sizes))


def _several_names(store: StoreFolder, name: str) -> Iterator[tuple[bytes, os.stat_result]]:
    """The files of a snapshot that another may share, by path."""
    root = os.open(store.root / name, tree.FOLDER)
    try:
        for _, path, entry in tree.names(root):
            if stat.S_ISREG(entry.status.st_mode) and entry.status.st_nlink > 1:
                yield b"/".join(filter(None, (path, entry.name))), entry.status
    finally:
        os.close(root)


def _owe(store: StoreFolder, name: str, heir: str, owed: Listed) -> None:
    # By whom: an expiry that was cut off is repeated, and what lies aside may come back.
    known = require_json(store.owed(heir))
    others = {other: debt for other, debt in known.items() if other != name}
    if owed.lines:
        durable.write_json(store.owed(heir), {**others, name: owed})
    elif name in known:
        durable.write_json(store.owed(heir), others)
