"""Opening folders below a folder without ever following a symbolic link."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .answer import Refused

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# A path that one call takes: PATH_MAX without its end.
_AT_ONCE = 4095
TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}


def components(path: str) -> tuple[bytes, ...]:
    """The names on the way to an absolute path; Refused if it is not absolute or has `..` in it."""
    parts = tuple(part for part in os.fsencode(path).split(b"/") if part not in (b"", b"."))
    if not path.startswith("/") or b".." in parts or any(b"\0" in part for part in parts):
        raise Refused(f"not an absolute path: {path!a}", "name it as on the host, from /")
    return parts


def folder(parent: int, name: bytes) -> int:
    """A descriptor of the folder `name` in `parent`; raises OSError, also if it is a link."""
    return os.open(name, FOLDER, dir_fd=parent)


def above(root: str, parts: tuple[bytes, ...]) -> int:
    """A descriptor of the folder that holds the last of `parts`, below `root`; raises OSError."""
    here = os.open(root, FOLDER)
    for part in parts[:-1]:
        try:
            deeper = folder(here, part)
        finally:
            os.close(here)
        here = deeper
    return here


@contextlib.contextmanager
def parent_of(root: str, parts: tuple[bytes, ...]) -> Iterator[int]:
    """The same, closed when the block is left."""
    descriptor = above(root, parts)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_absence(problem: OSError) -> bool:
    """Whether it means that there is no such name, and not that we could not look."""
    return problem.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


def status(parent: int, name: bytes) -> os.stat_result:
    """fstatat(2) of `name` itself; raises OSError."""
    return os.stat(name, dir_fd=parent, follow_symlinks=False)


def kind(status: os.stat_result) -> str:
    """The type of a file in a word."""
    return TYPES.get(stat.S_IFMT(status.st_mode), "unknown")


def through(parent: int, name: bytes) -> bytes:
    """A path for calls that take no descriptor of a folder; good as long as `parent` is open."""
    return b"/proc/self/fd/%d/%s" % (parent, name)


def extended(parent: int, name: bytes) -> dict[str, bytes]:
    """The extended attributes of `name` itself, none where its filesystem has no such thing; raises OSError."""
    path = through(parent, name)
    try:
        keys = os.listxattr(path, follow_symlinks=False)
    except OSError as problem:
        if problem.errno == errno.ENOTSUP:
            return {}
        raise
    return {key: os.getxattr(path, key, follow_symlinks=False) for key in keys}


def below(root: int, path: bytes) -> int:
    """A descriptor of the folder at `path` below the open folder `root`, however long the path is; raises OSError.

    `path` is of a tree that only we write to: the last name is not followed where it is a link, those before it are.
    """
    here = root
    while True:
        # What the kernel takes at once ends at a folder's name.
        cut = path.rfind(b"/", 0, _AT_ONCE) if len(path) > _AT_ONCE else len(path)
        try:
            deeper = os.open(path[:cut] or b".", FOLDER, dir_fd=here)
        finally:
            if here != root:
                os.close(here)
        here, path = deeper, path[cut + 1 :]
        if not path:
            return here


class TreeEntry(NamedTuple):
    """A name in a folder and its lstat(2)."""

    name: bytes
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder itself, not a link to one."""
        return stat.S_ISDIR(self.status.st_mode)


class TreeFolder(NamedTuple):
    """An open folder (only until the next one is asked for), its path below the top, its entries by name."""

    descriptor: int
    path: bytes
    entries: list[TreeEntry]


def folders(root: int, *, closed: bool = False) -> Iterator[TreeFolder]:
    """Every folder of the tree below the open folder `root`, itself first (path b""), parents first.

    Names that vanish meanwhile are left out, and with `closed` what we may not enter; any other OSError is raised.
    Memory grows with the folders still to do, and not with how deep they are.
    """
    missing = (FileNotFoundError, PermissionError) if closed else (FileNotFoundError,)
    device = os.fstat(root).st_dev
    way = list[bytes]()
    waiting = [(0, b"")]
    while waiting:
        depth, name = waiting.pop()
        way[max(0, depth - 1) :] = [name] if depth else []
        path = b"/".join(way)
        try:
            descriptor = below(root, path)
        except missing:
            continue
        try:
            if os.fstat(descriptor).st_dev != device:
                continue
            entries = list(_entries(descriptor, device, missing))
            yield TreeFolder(descriptor, path, entries)
        finally:
            os.close(descriptor)
        waiting.extend((depth + 1, each.name) for each in reversed(entries) if each.is_folder)


def names(root: int) -> Iterator[tuple[int, bytes, TreeEntry]]:
    """Every name in the tree below the open folder `root`, a folder before what is in it, else in no order.

    Each with the open folder that it is in (only until the next one is asked for) and the path of that below the top.
    As `folders`; but of a folder no more is kept than the folders in it, though a stranger put ten million names there.
    """
    missing = (FileNotFoundError,)
    device = os.fstat(root).st_dev
    waiting = [b""]
    while waiting:
        path = waiting.pop()
        try:
            descriptor = os.open(path or b".", FOLDER, dir_fd=root)
        except missing:
            continue
        try:
            if os.fstat(descriptor).st_dev != device:
                continue
            with os.scandir(descriptor) as listing:
                for entry in _about(descriptor, (os.fsencode(each.name) for each in listing), device, missing):
                    if entry.is_folder:
                        waiting.append(path + b"/" + entry.name if path else entry.name)
                    yield descriptor, path, entry
        finally:
            os.close(descriptor)


def _entries(descriptor: int, device: int, missing: tuple[type[OSError], ...]) -> Iterator[TreeEntry]:
    return _about(descriptor, sorted(os.fsencode(each) for each in os.listdir(descriptor)), device, missing)


def _about(
    descriptor: int, listing: Iterable[bytes], device: int, missing: tuple[type[OSError], ...]
) -> Iterator[TreeEntry]:
    for name in listing:
        try:
            about = status(descriptor, name)
        except missing:
            continue
        if about.st_dev == device:
            yield TreeEntry(name, about)
