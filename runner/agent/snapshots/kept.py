"""What an interrupted snapshot already sent: checksums for the inodes the new one took over from it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ..frames import Frame
from ..store.layout import Store, read_json
from .lines import sent, unescaped
from .sums import Sums


class Kept:
    """Judges files of partials by inode: it is in the new folder at the same name, or it is not."""

    def __init__(self, store: Store, name: str, basis: str, resumed: tuple[str, ...]) -> None:
        self._store = store
        self._new = os.fsencode(store.partial / name)
        self._basis = os.fsencode(store.root / basis) if basis else b""
        self._resumed = resumed
        self._known: set[int] = set()

    def read(self, frame: Frame, sums: Sums) -> int:
        """Write the checksum of each line whose file lives on; says how many."""
        place = self._place(frame.source)
        if place is None:
            return 0
        partial, point = place
        old = os.fsencode(self._store.partial / partial)
        count = 0
        for line in frame.lines():
            told = sent(line)
            if told is None or not (told.transferred and told.checksum):
                continue
            below = os.fsencode(point).strip(b"/") + b"/" + unescaped(told.name)
            inode = self._taken(old, below.lstrip(b"/"))
            if inode and inode not in self._known:
                self._known.add(inode)
                sums.add(told.checksum, told.size, point, told.name)
                count += 1
        return count

    def unknown(self) -> int:
        """How many files were taken over from a partial alone and have no checksum; call it last."""
        count = 0
        for partial in self._resumed:
            old = os.fsencode(self._store.partial / partial)
            for below in _files(old):
                inode = self._taken(old, below)
                if inode and inode not in self._known and _inode(self._basis, below) != inode:
                    self._known.add(inode)
                    count += 1
        return count

    def _taken(self, old: bytes, below: bytes) -> int:
        inode = _inode(old, below)
        return inode if inode and inode == _inode(self._new, below) else 0

    def _place(self, source: str) -> tuple[str, str] | None:
        # An output that fits nothing only costs checksums: that must not keep a whole snapshot unsealed.
        kind, _, rest = source.partition(":")
        parts = rest.rsplit("/", 2)
        if kind == "kept" and len(parts) == 3 and parts[1] in self._resumed and parts[2].isdigit():
            points = read_json(self._store.told(parts[1])).get("filesystems", ())
            if int(parts[2]) < len(points):
                return parts[1], str(points[int(parts[2])])
        return None


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
                    elif entry.is_file(follow_symlinks=False) and _shared(entry):
                        yield below
        except OSError:
            continue


def _shared(entry: os.DirEntry[bytes]) -> bool:
    return entry.stat(follow_symlinks=False).st_nlink > 1
