"""What a new snapshot took over from interrupted ones, judged by inode."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..frames import Frame
from ..store import received
from ..store.freed import BLOCK
from ..store.layout import StoreFolder
from .sums import Sums, sent, unescaped

# With a name in the new folder and one in each of two others, an inode may still be met under that name alone.
_ONE_NAME = 3


class TakenOver(NamedTuple):
    """What is new and an interrupted transfer brought: names, how long the files are, what they take of the disk.

    `unsummed` are those of the files that have no checksum.
    """

    names: int
    bytes: int
    room: int
    unsummed: int


class ResumedFiles:
    """Judges files of partials by inode: it is in the new folder at the same name, or it is not.

    `shared` are the sealed snapshots with which the new one shares files: what one of them has is not new.
    """

    def __init__(self, store: StoreFolder, name: str, shared: Sequence[str], resumed: tuple[str, ...]) -> None:
        self._new = received.places(store, name)
        self._shared = tuple(os.fsencode(store.root / each) for each in shared)
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

    def taken_over(self) -> TakenOver:
        """Add up what is new though the last transfer found it there already; call it last.

        A file counts once, whatever it is called, and a name that is no file where none of its kind was before: as a
        transfer says what it brings.
        """
        names = size = room = unsummed = 0
        several: dict[int, os.stat_result] = {}
        for status, is_shared in self._names():
            if is_shared:
                continue
            if not stat.S_ISDIR(status.st_mode) and status.st_nlink > _ONE_NAME:
                several[status.st_ino] = status
                continue
            names += 1
            if stat.S_ISREG(status.st_mode):
                size, room = size + status.st_size, room + status.st_blocks * BLOCK
                unsummed += status.st_ino not in self._known
        # One that a sealed snapshot has under another name is its file all the same.
        for status, is_shared in self._names() if several else ():
            if is_shared:
                several.pop(status.st_ino, None)
        files = [status for status in several.values() if stat.S_ISREG(status.st_mode)]
        return TakenOver(
            names + len(several),
            size + sum(status.st_size for status in files),
            room + sum(status.st_blocks for status in files) * BLOCK,
            unsummed + sum(status.st_ino not in self._known for status in files),
        )

    def _names(self) -> Iterator[tuple[os.stat_result, bool]]:
        """Each name that lives on in the new folder, and whether a sealed snapshot has it at the same place.

        What several partials have is met in the first of them.
        """
        before: dict[str, list[bytes]] = {}
        for places in self._old.values():
            for point, old in places.items():
                if point not in self._new:
                    continue
                top, new = os.fsencode(old), os.fsencode(self._new[point])
                shared = [each + os.fsencode(point).rstrip(b"/") for each in self._shared]
                earlier = before.setdefault(point, [])
                for below in _below(top):
                    status = _status(top, below)
                    if status is None or not _lives_on(status, new, below):
                        continue
                    if not any(_lives_on(status, other, below) for other in earlier):
                        yield status, any(_is_known(status, other, below) for other in shared)
                earlier.append(top)

    def _taken(self, old: Path, point: str, below: bytes) -> int:
        status = _status(os.fsencode(old), below) if point in self._new else None
        if status is None or not stat.S_ISREG(status.st_mode):
            return 0
        return status.st_ino if _lives_on(status, os.fsencode(self._new[point]), below) else 0

    def _place(self, source: str) -> tuple[str, Path | None]:
        # An output that fits nothing only costs checksums: that must not keep a whole snapshot unsealed.
        kind, _, rest = source.partition(":")
        parts = rest.rsplit("/", 2)
        if kind == "kept" and len(parts) == 3 and parts[1] in self._old and parts[2].isdigit():
            old = tuple(self._old[parts[1]].items())
            if int(parts[2]) < len(old):
                return old[int(parts[2])]
        return "", None


def _lives_on(status: os.stat_result, root: bytes, below: bytes) -> bool:
    """Whether the same inode is at this name below `root`; of a folder, which has one name only, whether one is."""
    other = _status(root, below)
    if other is None or stat.S_IFMT(other.st_mode) != stat.S_IFMT(status.st_mode):
        return False
    return stat.S_ISDIR(status.st_mode) or other.st_ino == status.st_ino


def _is_known(status: os.stat_result, root: bytes, below: bytes) -> bool:
    """Whether a sealed snapshot has it: the same file, or where it is none one of its kind."""
    if stat.S_ISREG(status.st_mode):
        return _lives_on(status, root, below)
    other = _status(root, below)
    return other is not None and stat.S_IFMT(other.st_mode) == stat.S_IFMT(status.st_mode)


def _status(root: bytes, below: bytes) -> os.stat_result | None:
    """What is at this name, None where nothing is or can be seen."""
    try:
        return os.lstat(root + b"/" + below)
    except OSError:
        return None


def _below(root: bytes) -> Iterator[bytes]:
    """Every name below `root`, relative."""
    waiting = [b""]
    while waiting:
        name = waiting.pop()
        try:
            with os.scandir(root + b"/" + name) as entries:
                for entry in entries:
                    below = name + b"/" + entry.name if name else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(below)
                    yield below
        except OSError:
            continue
