"""What an audit found: each thing once, with every snapshot that it concerns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from .. import tree
from ..store.layout import StoreFolder, sealed
from .contract.audit import AuditFinding

LISTED = 1000
# A disk on which more is damaged in one night is dying.
NOTED = 10_000
# What of their paths is listed and noted, in all: how deep a tree is says whoever sent it.
LISTED_BYTES, NOTED_BYTES = 1 << 20, 4 << 20


class Findings:
    """Collects findings; lists the first 1000, fewer where their paths are very long, and counts all (`total`).

    `noted` are names in snapshots, each with its inode where others may share it.
    """

    def __init__(self, store: StoreFolder) -> None:
        self.total = 0
        self.listed: list[AuditFinding] = []
        self.noted: dict[tuple[str, bytes], Optional[int]] = {}  # noqa: UP045
        self._store = store
        self._known: set[tuple[str, bytes, object]] = set()
        self._listed_bytes = self._noted_bytes = 0

    def add(self, kind: str, path: bytes, snapshot: str, inode: Optional[int] = None) -> None:  # noqa: UP045
        """Note a finding at `path` (below the snapshot); with `inode` for all that have it there."""
        if len(self.noted) < NOTED and self._noted_bytes + len(path) <= NOTED_BYTES:
            self.noted[snapshot, path] = inode
            self._noted_bytes += len(path)
        self._add(kind, path, snapshot, inode)

    def add_record(self, kind: str, path: Path, snapshot: str) -> None:
        """Note that what is known of `snapshot` in the file at `path` is gone or damaged: no name in it is."""
        self._add(kind, os.fsencode(path.relative_to(self._store.root)), snapshot, None)

    def _add(self, kind: str, path: bytes, snapshot: str, inode: Optional[int]) -> None:  # noqa: UP045
        if (kind, path, inode or snapshot) in self._known:
            return
        if self.total < LISTED and self._listed_bytes + len(path) <= LISTED_BYTES:
            self._listed_bytes += len(path)
            self._known.add((kind, path, inode or snapshot))
            snapshots = self._sharing(path, inode) if inode else ()
            self.listed.append(AuditFinding(kind, os.fsdecode(path), snapshots or (snapshot,)))
        self.total += 1

    def _sharing(self, path: bytes, inode: int) -> tuple[str, ...]:
        return tuple(name for name in sealed(self._store) if inode_at(self._store, name, path) == inode)


def inode_at(store: StoreFolder, name: str, path: bytes) -> Optional[int]:  # noqa: UP045
    """The inode at `path` in snapshot `name`; None if there is nothing."""
    try:
        root = os.open(store.root / name, tree.FOLDER)
    except OSError:
        return None
    parent, _, last = path.rpartition(b"/")
    folder = root
    try:
        folder = tree.below(root, parent)
        return tree.status(folder, last or b".").st_ino
    except OSError:
        return None
    finally:
        os.close(root)
        if folder != root:
            os.close(folder)
