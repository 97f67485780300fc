"""What differs between two records of a filesystem, both in the order of the walk; nothing here looks at a disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Optional

from .entries import INODE, LINKS, FolderEntries, PackedFolder, Row, is_folder

# What a look knows of a name that it lists: it saw that it is gone, or there; it did not look into its folder; it
# saw nothing there, as the look before; it is a folder, and was one; or it is something else, and was a folder, or one
# of which nothing is copied but itself.
GONE, THERE, UNSEEN, ABSENT, FOLDER, REPLACED = range(6)
SEEN = (THERE, FOLDER, REPLACED)


class ListedName(NamedTuple):
    """A name that differs, and what the look knows of it."""

    path: bytes
    state: int


class Differences:
    """Compares each folder of a look with that of the record before.

    `wanted` are listed whether they differ or not; `alike` are those of them that are there and do not. Of a folder
    that is gone its own name is listed; of one that is not entered any more what was in it. `left_out` are there or
    not: nobody looked. Memory grows with the names that are listed, not with those that there are.
    """

    def __init__(
        self, before: Iterator[PackedFolder], wanted: Iterable[bytes], left_out: frozenset[bytes] = frozenset()
    ) -> None:
        self.alike: list[bytes] = []
        self._before = before
        self._next = next(before, None)
        self._left_out = left_out
        self._wanted: dict[bytes, set[bytes]] = {}
        # The folders in which wanted names are, by the folders that they are in; and those of them not entered yet.
        self._inner: dict[bytes, set[bytes]] = {}
        self._not_entered: set[bytes] = set()
        self._bare: set[bytes] = set()
        for path in wanted:
            folder, name = _split(path)
            self._wanted.setdefault(folder, set()).add(name)
            while folder:
                folder, name = _split(folder)
                inner = self._inner.setdefault(folder, set())
                if name in inner:
                    break
                inner.add(name)
        # Folders of before that are none now, and the last one of which all is listed.
        self._replaced: set[bytes] = set()
        self._covered: Optional[bytes] = None  # noqa: UP045
        self._groups: dict[int, Optional[set[bytes]]] = {}  # noqa: UP045

    def want(self, folder: bytes, names: Sequence[bytes]) -> None:
        """List these names, too, in the folder that is the next."""
        if names:
            self._wanted.setdefault(folder, set()).update(names)

    def bare(self, folder: bytes, names: Sequence[bytes]) -> None:
        """List these folders, too, in the folder that is the next, as if they had been replaced: empty ones."""
        self.want(folder, names)
        self._bare.update(_joined(folder, name) for name in names)

    def folder(self, entries: FolderEntries) -> Iterator[ListedName]:
        """What is to be listed before the folder, and of what is in it."""
        while self._next is not None and self._next.path != entries.path and is_before(self._next.path, entries.path):
            yield from self._left(self._next)
            self._next = next(self._before, None)
        before: dict[bytes, Row] = {}
        wanted = self._wanted.pop(entries.path, None)
        self._note_inner(entries)
        if self._next is not None and self._next.path == entries.path:
            same = self._next.block == entries.block and self._next.names == len(entries.names)
            if not (same and wanted is None):
                before = dict(self._next.entries())
            self._next = next(self._before, None)
            if same and wanted is None:
                return
        now = dict(zip(entries.names, entries.rows))  # noqa: B905
        for name in sorted(before.keys() | now.keys() | (wanted or set())):
            old, new = before.get(name), now.get(name)
            path = _joined(entries.path, name)
            if old is not None and is_folder(old) and not (new is not None and is_folder(new)):
                self._replaced.add(path)
            if old != new or (wanted is not None and name in wanted):
                if old == new and new is not None:
                    self.alike.append(path)
                yield ListedName(path, self._state(path, old, new))
                if new is not None and new[LINKS] > 1 and not is_folder(new):
                    self._join(path, new)

    def _state(self, path: bytes, old: Optional[Row], new: Optional[Row]) -> int:  # noqa: UP045
        if path in self._left_out:
            return UNSEEN
        if new is None:
            return GONE if old is not None else ABSENT
        if path in self._bare:
            return REPLACED
        if old is None or not is_folder(old):
            return THERE
        return FOLDER if is_folder(new) else REPLACED

    def _note_inner(self, entries: FolderEntries) -> None:
        self._not_entered.discard(entries.path)
        inner = self._inner.pop(entries.path, None)
        if inner:
            for name, row in zip(entries.names, entries.rows):  # noqa: B905
                if name in inner and is_folder(row):
                    self._not_entered.add(_joined(entries.path, name))

    def rest(self) -> Iterator[ListedName]:
        """What is left once all folders were seen: of what is wanted, what is in a folder that was not entered.

        Any other went with a folder that is gone.
        """
        while self._next is not None:
            yield from self._left(self._next)
            self._next = next(self._before, None)
        names = [(folder, name) for folder, names in self._wanted.items() for name in names]
        for folder, name in sorted(names, key=lambda each: (each[0].split(b"/"), each[1])):
            if any(folder == other or folder.startswith(other + b"/") for other in self._not_entered):
                yield ListedName(_joined(folder, name), UNSEEN)

    def linked(self, folders: Iterator[PackedFolder]) -> Iterator[ListedName]:
        """The other names, in the record of this look, of files of which a name is listed."""
        if not any(self._groups.values()):
            return
        for folder in folders:
            if not folder.links:
                continue
            for name, row in folder.entries():
                listed = self._groups.get(row[INODE]) if row[LINKS] > 1 and not is_folder(row) else None
                path = _joined(folder.path, name)
                if listed and path not in listed:
                    yield ListedName(path, THERE)

    def _join(self, path: bytes, row: Row) -> None:
        listed = self._groups.setdefault(row[INODE], set())
        if listed is not None:
            listed.add(path)
            if len(listed) == row[LINKS]:
                # All of its names are listed: nobody need look for others.
                self._groups[row[INODE]] = None

    def _left(self, folder: PackedFolder) -> Iterator[ListedName]:
        """What was in a folder that is not entered now."""
        if self._covered is not None and folder.path.startswith(self._covered + b"/"):
            return
        self._covered = folder.path
        if folder.path in self._replaced:
            self._replaced.remove(folder.path)
            return
        wanted = self._wanted.pop(folder.path, set())
        for name in sorted(wanted.union(name for name, _ in folder.entries())):
            yield ListedName(_joined(folder.path, name), UNSEEN)


def _split(path: bytes) -> tuple[bytes, bytes]:
    folder, _, name = path.rpartition(b"/")
    return folder, name


def _joined(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def is_before(path: bytes, other: bytes) -> bool:
    """Whether the folder at `path` comes before the other in the order of the walk."""
    return path.split(b"/") < other.split(b"/")
