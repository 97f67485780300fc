"""What a new snapshot took over from interrupted ones, judged by inode."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .. import tree
from ..answer import Refused
from ..frames import Frame
from ..inodes import Inodes
from ..store import received
from ..store.freed import BLOCK
from ..store.layout import StoreFolder
from .sums import Sums, sent, unescaped

_TWO_NAMES = 2


class TakenOver(NamedTuple):
    """What is new and an interrupted transfer brought: names, how long the files are, what they take of the disk.

    `unsummed` are those of the files that have no checksum.
    """

    names: int
    bytes: int
    room: int
    unsummed: int


class _Trees(NamedTuple):
    """What is at one mount point: in the new folder, in the interrupted ones, and in the sealed snapshots."""

    new: Inodes
    partials: Sequence[Inodes]
    shared: Sequence[Inodes]

    def lives_on(self, path: bytes, status: os.stat_result) -> bool:
        """Whether the new folder has it at this name; of a folder, which has one name only, whether it has one."""
        return _is_same(_at(self.new, path), status)

    def is_known(self, path: bytes, status: os.stat_result, *, kind: bool) -> bool:
        """Whether a sealed snapshot has this inode at this name, or with `kind` one of its kind."""
        others = (_at(each, path) for each in self.shared)
        return any(_is_inode(there, status) or (kind and _is_kind(there, status)) for there in others)

    def brought(self) -> Iterator[tuple[os.stat_result, bool]]:
        """Each name of a partial that lives on and that no sealed snapshot has, and whether its inode has no other.

        What several partials have is met in the first of them.
        """
        for number, partial in enumerate(self.partials):
            earlier, later = self.partials[:number], self.partials[number + 1 :]
            for path, status in partial.names():
                is_folder, is_file = stat.S_ISDIR(status.st_mode), stat.S_ISREG(status.st_mode)
                # One name is this one, and two are this and that in the new folder, where it lives on.
                alone = is_folder or status.st_nlink == _TWO_NAMES
                if not (alone or status.st_nlink > _TWO_NAMES) or not self.lives_on(path, status):
                    continue
                if not (alone and is_file):
                    if self.is_known(path, status, kind=not is_file):
                        continue
                    if any(_is_same(_at(each, path), status) for each in earlier):
                        continue
                if not alone:
                    there = sum(_is_same(_at(each, path), status) for each in later)
                    alone = status.st_nlink == _TWO_NAMES + there
                yield status, alone


class _Sum:
    """Adds up what is new; `known` are the inodes that have a checksum."""

    def __init__(self, known: set[int]) -> None:
        self._known = known
        self.names = self.bytes = self.room = self.unsummed = 0

    def add(self, inode: int, size: int, blocks: int, *, is_file: bool) -> None:
        """Count a name, or an inode of several."""
        self.names += 1
        if is_file:
            self.bytes += size
            self.room += blocks * BLOCK
            self.unsummed += inode not in self._known


class ResumedFiles:
    """Judges files of partials by inode: it is in the new folder at the same name, or it is not.

    `shared` are, by mount point, the sealed snapshots that the new one was compared with there: what one of them has is
    not new. Raises OSError where that cannot be seen, for what a record says stays. What is closed to us, who are not
    root, counts for nothing: that stays too, and the snapshot must be sealed some day.
    """

    def __init__(
        self, store: StoreFolder, name: str, shared: Mapping[str, Sequence[str]], resumed: tuple[str, ...]
    ) -> None:
        self._store = store
        self._new = received.places(store, name)
        self._shared = shared
        self._old = {partial: received.places(store, partial) for partial in resumed}
        self._known: set[int] = set()

    def read(self, frame: Frame, sums: Sums) -> int:
        """Write the checksum of each line whose file lives on; returns how many."""
        point, place = self._place(frame.source)
        if place is None or point not in self._new:
            return 0
        count = 0
        with contextlib.ExitStack() as opened:
            new, old = self._tree(opened, self._new[point]), self._tree(opened, place)
            for line in frame.lines() if new and old else ():
                file = sent(line)
                if new is None or old is None or file is None or not (file.transferred and file.checksum):
                    continue
                path = unescaped(file.name)
                status = _at(old, path)
                if status is None or not stat.S_ISREG(status.st_mode) or not _is_inode(_at(new, path), status):
                    continue
                if status.st_ino not in self._known:
                    self._known.add(status.st_ino)
                    sums.add(file, point)
                    count += 1
        return count

    def taken_over(self) -> TakenOver:
        """Add up what is new though the last transfer found it there already; call it last.

        A file counts once, whatever it is called, and a name that is no file where none of its kind was before: as a
        transfer says what it brings. Memory grows with the new files that have several names.
        """
        total = _Sum(self._known)
        several: dict[int, tuple[int, int, bool]] = {}
        for trees in self._trees():
            for status, alone in trees.brought():
                inode, size, blocks = status.st_ino, status.st_size, status.st_blocks
                is_file = stat.S_ISREG(status.st_mode)
                if alone:
                    total.add(inode, size, blocks, is_file=is_file)
                else:
                    several[inode] = size, blocks, is_file
        # One that a sealed snapshot has under another name is its file all the same, whether that name lives on or not.
        for trees in self._trees() if several else ():
            for partial in trees.partials:
                for path, status in partial.names():
                    if status.st_ino not in several:
                        continue
                    kind = not stat.S_ISREG(status.st_mode) and trees.lives_on(path, status)
                    if trees.is_known(path, status, kind=kind):
                        del several[status.st_ino]
        for inode, (size, blocks, is_file) in several.items():
            total.add(inode, size, blocks, is_file=is_file)
        return TakenOver(total.names, total.bytes, total.room, total.unsummed)

    def _trees(self) -> Iterator[_Trees]:
        """Those of each mount point of the new folder, open until the next is asked for."""
        for point, place in self._new.items():
            old = [places[point] for places in self._old.values() if point in places]
            shared = [self._store.root / name / point.strip("/") for name in self._shared.get(point, ())]
            with contextlib.ExitStack() as opened:
                new = self._tree(opened, place)
                if new and old:
                    partials = tuple(filter(None, (self._tree(opened, each) for each in old)))
                    known = tuple(filter(None, (self._tree(opened, each) for each in shared)))
                    yield _Trees(new, partials, known)

    def _tree(self, opened: contextlib.ExitStack, place: Path) -> Inodes | None:
        """The tree at a place in the store; None where there is none that no link leads to."""
        try:
            return opened.enter_context(Inodes(self._store.root, f"/{place.relative_to(self._store.root)}"))
        except (PermissionError, Refused):
            return None
        except OSError as problem:
            if not tree.is_absence(problem):
                raise
            return None

    def _place(self, source: str) -> tuple[str, Path | None]:
        # An output that fits nothing only costs checksums: that must not keep a whole snapshot unsealed.
        kind, _, rest = source.partition(":")
        parts = rest.rsplit("/", 2)
        if kind == "kept" and len(parts) == 3 and parts[1] in self._old and parts[2].isdigit():
            old = tuple(self._old[parts[1]].items())
            if int(parts[2]) < len(old):
                return old[int(parts[2])]
        return "", None


def _at(inodes: Inodes, path: bytes) -> os.stat_result | None:
    """What is at this name in a tree; None where nothing is, or where it is closed to us."""
    try:
        return inodes.status(path)
    except PermissionError:
        return None


def _is_same(other: os.stat_result | None, status: os.stat_result) -> bool:
    return _is_kind(other, status) if stat.S_ISDIR(status.st_mode) else _is_inode(other, status)


def _is_inode(other: os.stat_result | None, status: os.stat_result) -> bool:
    return other is not None and (other.st_ino, other.st_dev) == (status.st_ino, status.st_dev)


def _is_kind(other: os.stat_result | None, status: os.stat_result) -> bool:
    return other is not None and stat.S_IFMT(other.st_mode) == stat.S_IFMT(status.st_mode)
