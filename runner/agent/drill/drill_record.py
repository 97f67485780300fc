"""What the store's own records say of some names: checksums they arrived with, digests of attributes."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence

from ..retention.findings import inode_at
from ..retention.manifest import blocks
from ..snapshots.lines import escaped
from ..snapshots.sumlines import SumLine, sum_lines
from ..store.layout import Store, sealed
from .choice import Name, Wrong


def checksums(store: Store, names: Iterable[Name]) -> dict[Name, tuple[SumLine, ...]]:
    """The lines of each name: of the snapshots up to its own that have the same inode there.

    Of the names of one inode one has the line, since rsync sends it once: the others get it from there, if
    it is among them. A list that is damaged gives what can be read of it.
    """
    wanted: dict[bytes, list[Name]] = {}
    inodes = {name: inode_at(store, name.snapshot, name.path) for name in names}
    for name in inodes:
        wanted.setdefault(escaped(name.path), []).append(name)
    found: dict[int, list[SumLine]] = {}
    for snapshot in sealed(store):
        for line in _readable(store, snapshot):
            for name in wanted.get(line.name, ()):
                inode = inodes[name]
                if (
                    inode is not None
                    and snapshot <= name.snapshot
                    and inode_at(store, snapshot, name.path) == inode
                ):
                    found.setdefault(inode, []).append(line)
    return {
        name: tuple(found[inode]) for name, inode in inodes.items() if inode is not None and inode in found
    }


def digests(store: Store, names: Sequence[Name], wrong: list[Wrong]) -> dict[Name, bytes]:
    """The digest of each name in the manifest of its snapshot, where there is one; b"" if it is not in it."""
    found: dict[Name, bytes] = {}
    for snapshot in sorted({name.snapshot for name in names}):
        own = {name for name in names if name.snapshot == snapshot}
        if store.names(snapshot).exists():
            try:
                found.update(_of_one(store, snapshot, own))
            except (OSError, EOFError, zlib.error):
                path = os.fsencode(store.names(snapshot).relative_to(store.root))
                wrong.append((Name("", path), "the manifest of this snapshot cannot be read"))
    return found


def _of_one(store: Store, snapshot: str, own: set[Name]) -> dict[Name, bytes]:
    found = dict.fromkeys(own, b"")
    inside: dict[bytes, list[tuple[bytes, Name]]] = {}
    for name in own:
        folder, _, last = name.path.rpartition(b"/")
        inside.setdefault(folder, []).append((last or b".", name))
    for folder, entries in blocks(store, snapshot):
        for last, name in inside.get(folder, ()):
            found[name] = entries.get(last, b"")
    return found


def _readable(store: Store, snapshot: str) -> Iterator[SumLine]:
    try:
        yield from sum_lines(store, snapshot)
    except (OSError, EOFError, zlib.error):
        # It is told where the sample is drawn from it.
        return
