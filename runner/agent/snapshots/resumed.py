"""What a new snapshot took over from interrupted ones, judged by inode."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..frames import Frame
from ..store import received
from ..store.layout import StoreFolder
from .sums import Sums, sent, unescaped


class ResumedFiles:
    """Judges files of partials by inode: it is in the new folder at the same name, or it is not."""

    def __init__(self, store: StoreFolder, name: str, basis: str, resumed: tuple[str, ...]) -> None:
        self._new = received.places(store, name)
        self._basis = os.fsencode(store.root / basis) if basis else b""
        self._old = {partial: received.places(store, partial) for partial in resumed}
        self._known: set[int] = set()

    def read(self, frame: Frame, sums: Sums) -> int:
        """Write the checksum of each line whose file lives on; returns how many."""
        point, old = self._place(frame.source)
        if old is None:
            return 0
        count = 0
        for line in frame.lines():
            file = sent(line)
            if file is None or not (file.transferred and file.checksum):
                continue
            inode = self._taken(old, point, unescaped(file.name))
            if inode and inode not in self._known:
                self._known.add(inode)
                sums.add(file, point)
                count += 1
        return count

    def unknown(self) -> int:
        """How many files were taken over from a partial alone and have no checksum; call it last."""
        count = 0
        for point, old in ((point, old) for places in self._old.values() for point, old in places.items()):
            basis = self._basis + os.fsencode(point).rstrip(b"/") if self._basis else b""
            for below in _files(os.fsencode(old)):
                inode = self._taken(old, point, below)
                if inode and inode not in self._known and _inode(basis, below) != inode:
                    self._known.add(inode)
                    count += 1
        return count

    def _taken(self, old: Path, point: str, below: bytes) -> int:
        inode = _inode(os.fsencode(old), below) if point in self._new else 0
        return inode if inode and inode == _inode(os.fsencode(self._new[point]), below) else 0

    def _place(self, source: str) -> tuple[str, Path | None]:
        # An output that fits nothing only costs checksums: that must not keep a whole snapshot unsealed.
        kind, _, rest = source.partition(":")
        parts = rest.rsplit("/", 2)
        if kind == "kept" and len(parts) == 3 and parts[1] in self._old and parts[2].isdigit():
            old = tuple(self._old[parts[1]].items())
            if int(parts[2]) < len(old):
                return old[int(parts[2])]
        return "", None


def _inode(root: bytes, below: bytes) -> int:
    """The inode of a regular file, 0 where there is none."""
    if not root:
        return 0
    try:
        status = os.lstat(root + b"/" + below)
    except OSError:
        return 0
    return status.st_ino if stat.S_ISREG(status.st_mode) else 0


def _files(root: bytes) -> Iterator[bytes]:
    """Every regular file with more than one name below `root`, relative."""
    waiting = [b""]
    while waiting:
        name = waiting.pop()
        try:
            with os.scandir(root + b"/" + name) as entries:
                for entry in entries:
                    below = name + b"/" + entry.name if name else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(below)
                    elif entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_nlink > 1:
                        yield below
        except OSError:
            continue
