"""Older snapshots that may have what was sent: what a source lost for a day is not stored again when it is back."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from ..inodes import Inodes
from .alike import NameInFolder, is_alike


class OlderSnapshots:
    """The trees at `places` (a mount point in a snapshot), newest first, and the clone that would share with them."""

    def __init__(self, opened: contextlib.ExitStack, root: Path, places: Sequence[str], clone: str) -> None:
        self._trees = tuple(_opened(opened, root, places))
        self._root, self._clone = root, clone
        self._known: set[int] | None = None

    def alike(self, path: bytes, sent: NameInFolder, taken: Set[int]) -> NameInFolder | None:
        """The file that the first of them has at `path` and that is like the one sent; None where none has.

        None too where that inode is in the clone, or stands for another file: these would be linked to each other.
        """
        if not self._trees or not stat.S_ISREG(sent.status.st_mode):
            return None
        for each in self._trees:
            with contextlib.suppress(OSError):
                status = each.status(path)
                folder = each.last
                if status is None or folder is None or status.st_ino in taken:
                    continue
                older = NameInFolder(folder, sent.name, status)
                if is_alike(sent, older) and not (status.st_nlink > 1 and status.st_ino in self._in_clone()):
                    return older
        return None

    def _in_clone(self) -> set[int]:
        """The inodes of the clone that others share, as it was when this was asked first."""
        if self._known is None:
            with Inodes(self._root, self._clone) as clone:
                self._known = {
                    status.st_ino
                    for _, status in clone.names()
                    if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode)
                }
        return self._known


def _opened(opened: contextlib.ExitStack, root: Path, places: Sequence[str]) -> Iterator[Inodes]:
    for place in places:
        with contextlib.suppress(OSError):
            yield opened.enter_context(Inodes(root, f"/{place}"))
