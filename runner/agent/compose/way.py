"""The folders on the way to a name, open in the clone and in what was sent, and left as they are to be."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from .. import tree
from ..answer import Refused, shown
from ..protected import permit, unlink
from ..removal import remove_folder
from .alike import NameInFolder
from .attributes import Attributes, attributes, give
from .leaving import Leaving

# So many folders stay open, in each of both trees; those above them are found by `..`.
OPEN = 32
CLOSED = -1


class Opened(NamedTuple):
    """An open folder, and how it was when we came."""

    descriptor: int
    status: os.stat_result

    def open_up(self) -> bool:
        """Let its owner, who is not root, work in it; whether it had to be changed for that."""
        closed = os.geteuid() != 0 and self.status.st_mode & 0o700 != 0o700
        if closed:
            os.fchmod(self.descriptor, self.status.st_mode & 0o7777 | 0o700)
        return closed

    def above(self, lower: int) -> Opened:
        """The same, opened again from the open folder `lower` in it; Refused where that is in another folder now."""
        opened = self._replace(descriptor=tree.folder(lower, b".."))
        now = os.fstat(opened.descriptor)
        if (now.st_dev, now.st_ino) != (self.status.st_dev, self.status.st_ino):
            os.close(opened.descriptor)
            raise Refused("a folder of the partial was moved meanwhile", "find out who works in the store", again=True)
        return opened

    def restore(self) -> None:
        """Let it be as it was: its mode, where we may have changed that, and its times."""
        if os.geteuid():
            os.fchmod(self.descriptor, self.status.st_mode & 0o7777)
        os.utime(self.descriptor, ns=(self.status.st_atime_ns, self.status.st_mtime_ns))


class OpenFolder:
    """A folder of the clone, and where it was sent too that of what was sent; `path` leads to it from the top.

    With `due` it gets the attributes of what was sent when it is left; else it keeps those that it had.
    """

    def __init__(self, path: bytes, clone: Opened, sent: Opened | None) -> None:
        self.path = path
        self.name = path.rpartition(b"/")[2]
        self.clone = clone.descriptor
        self.sent = sent.descriptor if sent else None
        self.due = False
        self.changed = clone.open_up()
        self.taken = sent.open_up() if sent else False
        self._clone, self._sent = clone, sent

    def leave(self) -> None:
        """Give it its attributes, and what was sent those that it had: it may be entered again."""
        try:
            if self.due and self._sent:
                give(self.clone, attributes(*self._sent))
            elif self.changed:
                self._clone.restore()
            if self.taken and self._sent:
                self._sent.restore()
        finally:
            self.close()

    def close(self) -> None:
        """Close it as it is."""
        for descriptor in (self.clone, self.sent):
            if descriptor is not None and descriptor != CLOSED:
                os.close(descriptor)

    def rest(self, lower: OpenFolder) -> None:
        """Close it until it is worked in again, as far as it can be found by the open folder `lower` in it."""
        os.close(self.clone)
        self.clone = CLOSED
        if self.sent is not None and lower.sent is not None:
            os.close(self.sent)
            self.sent = CLOSED

    def resume(self, lower: OpenFolder) -> None:
        """Open it again by the folder in it, which must not have been left: that may be closed to us then."""
        self._clone = self._clone.above(lower.clone)
        self.clone = self._clone.descriptor
        if self._sent and lower.sent is not None:
            self._sent = self._sent.above(lower.sent)
            self.sent = self._sent.descriptor

    def remove(self, name: bytes, there: os.stat_result, leaving: Leaving) -> int:
        """Remove what the clone has at `name`; how many names that were."""
        self.changed = True
        if not stat.S_ISDIR(there.st_mode):
            leaving.name(self.below(name), is_folder=False)
            leaving.goes(there)
            unlink(self.clone, name)
            return 1
        removed, stuck = remove_folder(self.clone, name, leaving.goes)
        if stuck:
            raise Refused(
                f"{stuck} names in {shown(os.fsdecode(name))} could not be removed from the partial",
                "is something mounted there, or the disk failing?",
            )
        if removed > 1:
            # Of an empty one nothing went, and another filesystem may be joined there.
            leaving.name(self.below(name), is_folder=True)
        return removed

    def below(self, name: bytes) -> bytes:
        """The path of a name in it."""
        return self.path + b"/" + name if self.path else name

    def in_clone(self, name: bytes) -> os.stat_result | None:
        """What the clone has at `name`; None for nothing. Raises OSError where that cannot be seen."""
        return _status(self.clone, name)

    def in_sent(self, name: bytes) -> NameInFolder | None:
        """What was sent for `name`."""
        status = None if self.sent is None else _status(self.sent, name)
        return NameInFolder(self.sent, name, status) if self.sent is not None and status else None


class Way:
    """The folders from the top to the one that is worked in; `removed` and `made` count names of the clone.

    Only the top and the deepest of them are open, however many there are.
    """

    def __init__(self, clone: int, sent: int, leaving: Leaving) -> None:
        self.removed = 0
        self.made = 0
        self._leaving = leaving
        # So many below the top are closed, and found again by those in them.
        self._resting = 0
        self._device = os.fstat(clone).st_dev
        self._open = [OpenFolder(b"", Opened(clone, os.fstat(clone)), Opened(sent, os.fstat(sent)))]

    def enter(self, parts: tuple[bytes, ...], *, make: bool = True) -> OpenFolder | None:
        """The folder at `parts` from the top, with `make` made where only what was sent has it; None for none."""
        way = self._open
        same = 0
        for folder, part in zip(way[1:], parts):  # noqa: B905
            if folder.name != part:
                break
            same += 1
        self._leave(same + 1)
        for part in parts[same:]:
            if not self.descend(part, make=make):
                return None
        return way[-1]

    def descend(self, name: bytes, *, make: bool = True) -> bool:
        """Go into the folder `name` in the last one, with `make` made as `enter` does; False where there is none."""
        here = self._open[-1]
        sent = None if here.sent is None else self._opened(here.sent, name)
        try:
            clone = self._opened(here.clone, name)
            made = make and clone is None and sent is not None
            if made:
                clone = self._make(here, name)
        except BaseException:
            if sent:
                os.close(sent.descriptor)
            raise
        if clone is None:
            if sent:
                os.close(sent.descriptor)
            return False
        self._open.append(OpenFolder(here.below(name), clone, sent))
        self._open[-1].due = made
        if len(self._open) > self._resting + OPEN + 1:
            self._resting += 1
            self._open[self._resting].rest(self._open[self._resting + 1])
        return True

    @property
    def last(self) -> OpenFolder:
        """The folder that is worked in."""
        return self._open[-1]

    def finish(self, top: Attributes) -> None:
        """Leave every folder; the top one gets these attributes."""
        self._leave(1)
        give(self._open[0].clone, top)

    def rest(self) -> None:
        """Leave every folder but the top."""
        self._leave(1)

    def close(self) -> None:
        """Close every folder as it is."""
        while self._open:
            self._open.pop().close()

    def _leave(self, depth: int) -> None:
        while len(self._open) > depth:
            if self._resting and len(self._open) == self._resting + 2:
                self._open[self._resting].resume(self._open[-1])
                self._resting -= 1
            self._open.pop().leave()

    def _make(self, here: OpenFolder, name: bytes) -> Opened:
        there = here.in_clone(name)
        if there is not None:
            self.removed += here.remove(name, there, self._leaving)
        here.changed = True
        os.mkdir(name, 0o700, dir_fd=here.clone)
        self.made += 1
        descriptor = tree.folder(here.clone, name)
        return Opened(descriptor, os.fstat(descriptor))

    def _opened(self, parent: int, name: bytes) -> Opened | None:
        """A folder, None where it is none; Refused where another filesystem is mounted."""
        try:
            opened = _open(parent, name)
        except OSError as problem:
            if tree.is_absence(problem):
                return None
            raise
        if opened.status.st_dev != self._device:
            os.close(opened.descriptor)
            what = f"something is mounted at {shown(os.fsdecode(name))} in the partial"
            raise Refused(what, "unmount it, then run the job again")
        return opened


def _open(parent: int, name: bytes) -> Opened:
    try:
        descriptor = tree.folder(parent, name)
    except PermissionError:
        status = tree.status(parent, name)
        permit(parent, name)
        return Opened(tree.folder(parent, name), status)
    return Opened(descriptor, os.fstat(descriptor))


def _status(folder: int, name: bytes) -> os.stat_result | None:
    try:
        return tree.status(folder, name)
    except OSError as problem:
        if tree.is_absence(problem):
            return None
        raise
