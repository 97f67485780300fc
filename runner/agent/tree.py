"""Opening folders below a folder without ever following a symbolic link."""

from __future__ import annotations

import os
import stat

from .answer import Refused

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
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


def status(parent: int, name: bytes) -> os.stat_result:
    """fstatat(2) of `name` itself; raises OSError."""
    return os.stat(name, dir_fd=parent, follow_symlinks=False)


def kind(found: os.stat_result) -> str:
    """The type of a file in a word."""
    return TYPES.get(stat.S_IFMT(found.st_mode), "unknown")


def through(parent: int, name: bytes) -> bytes:
    """A path for calls that take no descriptor of a folder; good as long as `parent` is open."""
    return b"/proc/self/fd/%d/%s" % (parent, name)
