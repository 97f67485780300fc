"""A folder of our own in memory into which places of the host are put, each where its name says: mount(2).

Nothing is made but in that memory, and no name is followed through what was put there already: a program that is
confined to a place may change what is in it meanwhile.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..answer import Refused
from . import kernel
from .kernel import BIND, NO_DEV, NO_EXEC, NO_SUID, READ_ONLY, REMOUNT
from .resolve import OPEN
from .view import PlaceSeen

_SIZE = "mode=755,size=1m,nr_inodes=4096"


class Stage:
    """The folder `at`, with an empty memory over what is in it."""

    def __init__(self, at: str) -> None:
        self._below = Path(at).stat()
        kernel.mount("tmpfs", at, NO_SUID | NO_DEV, "tmpfs", _SIZE)
        self.at = at
        self._top = os.open(at, os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY)
        # Our own folders are in these, and in no other.
        self._devices = {os.fstat(self._top).st_dev}
        self._covers: list[tuple[int, os.stat_result]] = []

    def put(self, place: PlaceSeen, held: int, path: str) -> None:
        """Show the place that is open as `held` at `path` below here. Raises Refused."""
        *way, name = path.strip("/").split("/")
        kind, folder = os.fstat(held).st_mode, os.dup(self._top)
        try:
            for each in way:
                self._make(folder, each, stat.S_IFDIR)
                folder = _into(folder, each)
            self._make(folder, name, kind, os.readlink("", dir_fd=held) if stat.S_ISLNK(kind) else "")
            if not stat.S_ISLNK(kind):
                _show(place, held, folder, name)
        except OSError as problem:
            # What is in another place that is shown may have gone from there.
            if not place.may_lack:
                raise kernel.cannot(f"show {place.path!a}", problem.errno) from None
        finally:
            os.close(folder)

    def cover(self, path: str) -> None:
        """Let nothing be seen in the folder at `path` below here but what is put there from now on. Raises Refused.

        Where there is none, nothing of it is seen.
        """
        *way, name = path.strip("/").split("/")
        folder = os.dup(self._top)
        try:
            for each in way:
                folder = _into(folder, each)
            below = _into(os.dup(folder), name)
            try:
                seen = os.fstat(below)
                kernel.mount("tmpfs", f"/proc/self/fd/{below}", NO_SUID | NO_DEV, "tmpfs", _SIZE)
            finally:
                os.close(below)
            # Opened again it is what was mounted there.
            self._covers.append((_into(os.dup(folder), name), seen))
            self._devices.add(os.fstat(self._covers[-1][0]).st_dev)
        except FileNotFoundError:
            pass
        except OSError as problem:
            raise kernel.cannot(f"hide {path!a}", problem.errno) from None
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let nothing be changed here any more. What covers a folder looks as that does."""
        alike(f"/proc/self/fd/{self._top}", self._below)
        os.close(self._top)
        for each, seen in self._covers:
            alike(f"/proc/self/fd/{each}", seen)
            closed = REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEV | NO_EXEC
            kernel.mount("none", f"/proc/self/fd/{each}", closed)
            os.close(each)
        kernel.mount("none", self.at, REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEV | NO_EXEC)

    def _make(self, folder: int, name: str, kind: int, target: str = "") -> None:
        """Make the name, unless it is there, or the folder is one of the host."""
        if not name:
            raise Refused("a view of the host is no place in it", "name the folders")
        if os.fstat(folder).st_dev not in self._devices:
            return
        try:
            if stat.S_ISLNK(kind):
                os.symlink(target, name, dir_fd=folder)
            elif stat.S_ISDIR(kind):
                os.mkdir(name, 0o755, dir_fd=folder)
            else:
                os.mknod(name, stat.S_IFREG | 0o644, dir_fd=folder)
        except FileExistsError:
            pass


def alike(path: str, seen: os.stat_result) -> None:
    """Give what was mounted at the folder the owner, mode and times of what is below it.

    Who copies the folder names them, and would find another one each time.
    """
    os.chown(path, seen.st_uid, seen.st_gid)
    Path(path).chmod(stat.S_IMODE(seen.st_mode))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def _into(folder: int, name: str) -> int:
    inner = os.open(name, OPEN | os.O_DIRECTORY, dir_fd=folder)
    os.close(folder)
    return inner


def _show(place: PlaceSeen, held: int, folder: int, name: str) -> None:
    kind = os.fstat(held).st_mode
    below = os.open(name, OPEN, dir_fd=folder)
    try:
        kernel.mount(f"/proc/self/fd/{held}", f"/proc/self/fd/{below}", BIND)
    finally:
        os.close(below)
    # Opened again it is what was mounted there. The one device of the view is there to be opened.
    closed = NO_SUID | (0 if stat.S_ISCHR(kind) else NO_DEV) | (0 if place.writable else READ_ONLY)
    shown = os.open(name, OPEN, dir_fd=folder)
    try:
        kernel.mount("none", f"/proc/self/fd/{shown}", REMOUNT | BIND | closed | (0 if place.runs else NO_EXEC))
    finally:
        os.close(shown)
