"""Going down a tree and up again by open folders, however deep it is, with few of them open."""

from __future__ import annotations

import os

from .. import tree
from ..answer import Refused

OPEN = 64


class Descent:
    """The folders on the way from a top to where we are. Only the deepest stay open; the others are found by `..`.

    A folder that is found must be the one that was left: nothing moves in what only we write to.
    """

    def __init__(self, top: int) -> None:
        # The descriptor of the folder where we are.
        self.here = os.dup(top)
        self._open = [self.here]
        self._closed: list[tuple[int, int]] = []

    def enter(self, descriptor: int) -> None:
        """Go down into an open folder of this one; it is closed when it is left."""
        self.here = descriptor
        self._open.append(descriptor)
        if len(self._open) > OPEN:
            upper = self._open.pop(0)
            self._closed.append(_identity(upper))
            os.close(upper)

    def leave(self) -> None:
        """Go up. The parent of where we are then is open: this one may be closed to us before it is left."""
        os.close(self._open.pop())
        if len(self._open) == 1 and self._closed:
            self._open.insert(0, tree.folder(self._open[0], b".."))
            if _identity(self._open[0]) != self._closed.pop():
                raise Refused("a folder was moved while it was read", "find out who works in the store")
        self.here = self._open[-1] if self._open else -1

    def close(self) -> None:
        """Close all that is open."""
        while self._open:
            os.close(self._open.pop())


class LateDescent:
    """Going down a tree of which few folders are looked into: none is opened before somebody asks for it."""

    def __init__(self, top: int) -> None:
        self._opened = Descent(top)
        self._depth = 0
        self._names = list[bytes]()

    @property
    def here(self) -> int:
        """The descriptor of the folder where we are; raises OSError where it cannot be opened."""
        for name in self._names[self._depth :]:
            self._opened.enter(tree.folder(self._opened.here, name))
            self._depth += 1
        return self._opened.here

    def enter(self, name: bytes) -> None:
        """Go down into the folder of this name."""
        self._names.append(name)

    def leave(self) -> None:
        """Go up, also from the top."""
        if len(self._names) == self._depth:
            self._opened.leave()
            self._depth -= 1
        if self._names:
            self._names.pop()

    def close(self) -> None:
        """Close all that is open."""
        self._opened.close()


def _identity(folder: int) -> tuple[int, int]:
    status = os.fstat(folder)
    return status.st_dev, status.st_ino
