"""Two trees compared to the last attribute, with nothing that rsync has a hand in."""

# Names are bytes here, as the kernel has them; pathlib knows only text.
# ruff: noqa: PTH115, PTH116, PTH118, PTH123, PTH208

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

SLACK = 64 << 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What a faithful copy of one name keeps; times of access and change, and inodes, are not in it."""

    kind: str
    mode: str
    owner: int
    group: int
    mtime_ns: int
    size: int
    content: str = ""
    target: bytes = b""
    device: tuple[int, int] = (0, 0)
    attributes: tuple[tuple[str, bytes], ...] = ()
    same_inode_as: bytes = b""
    allocated: int = field(default=0, compare=False)


def walk(root: Path, *, below: tuple[str, ...] = ()) -> dict[bytes, Entry]:
    """Every name under `root` (`b"."` is the root itself), on its filesystem only, in sorted order.

    `below` names folders, relative to the root, whose content is left out; they themselves are in.
    """
    top = os.fsencode(root)
    skipped = {os.fsencode(name).strip(b"/") for name in below}
    device = os.stat(top).st_dev
    found: dict[bytes, os.stat_result] = {}
    todo = [b"."]
    while todo:
        name = todo.pop()
        found[name] = status = os.lstat(os.path.join(top, name))
        if stat.S_ISDIR(status.st_mode) and status.st_dev == device and name not in skipped:
            inside = os.listdir(os.path.join(top, name))
            todo += inside if name == b"." else [os.path.join(name, entry) for entry in inside]
    groups: dict[tuple[int, int], bytes] = {}
    entries: dict[bytes, Entry] = {}
    for name in sorted(found):
        status = found[name]
        first = groups.setdefault((status.st_dev, status.st_ino), name)
        entry = _entry(os.path.join(top, name), status)
        if first == name and entry.kind == "file":
            entry = replace(entry, content=_content(os.path.join(top, name)))
        elif first != name:
            entry = replace(entry, same_inode_as=first, content=entries[first].content)
        entries[name] = entry
    return entries


def differences(original: Path, copy: Path, *, below: tuple[str, ...] = ()) -> list[str]:
    """One line for each difference, names as Python shows bytes; empty if the copy is faithful."""
    ours, theirs = walk(original, below=below), walk(copy, below=below)
    lines = [f"{name!r} is missing" for name in ours if name not in theirs]
    lines += [f"{name!r} should not be there" for name in theirs if name not in ours]
    for name, entry in ours.items():
        if name in theirs:
            lines += [f"{name!r}: {text}" for text in _compare(entry, theirs[name])]
    return lines


def rsync_silent(original: Path, copy: Path) -> str:
    """What rsync finds different by content; "" if it agrees that the trees are the same."""
    options = ("-aHAX", "--numeric-ids", "--modify-window=-1", "-n", "-i", "-c", "--delete")
    argv = ("rsync", *options, "--", f"{original}/", f"{copy}/")
    done = subprocess.run(argv, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})
    return (done.stdout + done.stderr).decode(errors="backslashreplace")


def fingerprint(root: Path) -> dict[bytes, tuple[int, Entry]]:
    """Inode and all else of every name: equal before and after if nothing in `root` was touched.

    New hard links to its files from elsewhere do not count as a touch.
    """
    top = os.fsencode(root)
    return {name: (os.lstat(os.path.join(top, name)).st_ino, entry) for name, entry in walk(root).items()}


def shared(older: Path, newer: Path) -> set[bytes]:
    """The names, folders apart, that are one inode in both trees."""
    left, right = os.fsencode(older), os.fsencode(newer)
    both = (name for name, entry in walk(older).items() if entry.kind != "folder")
    return {name for name in both if _inode(os.path.join(left, name)) == _inode(os.path.join(right, name))}


def _inode(path: bytes) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


KINDS = {
    stat.S_IFDIR: "folder", stat.S_IFREG: "file", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket", stat.S_IFCHR: "character device", stat.S_IFBLK: "block device",
}  # fmt: skip


def _entry(path: bytes, status: os.stat_result) -> Entry:
    kind = KINDS[stat.S_IFMT(status.st_mode)]
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return Entry(
        kind=kind,
        mode=oct(stat.S_IMODE(status.st_mode)),
        owner=status.st_uid,
        group=status.st_gid,
        mtime_ns=status.st_mtime_ns,
        # A folder's size is the filesystem's business.
        size=0 if kind == "folder" else status.st_size,
        target=os.readlink(path) if kind == "symlink" else b"",
        device=(os.major(status.st_rdev), os.minor(status.st_rdev)),
        attributes=tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names),
        allocated=status.st_blocks * 512,
    )


def _content(path: bytes) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compare(ours: Entry, theirs: Entry) -> list[str]:
    lines = [
        f"{item.name} is {getattr(theirs, item.name)!r}, not {getattr(ours, item.name)!r}"
        for item in fields(Entry)
        if item.compare and getattr(ours, item.name) != getattr(theirs, item.name)
    ]
    # Blocks differ a little from one filesystem to another; a hole that was filled is no little.
    if theirs.allocated > ours.allocated + ours.allocated // 64 + SLACK:
        lines.append(f"takes {theirs.allocated} bytes of disk, not {ours.allocated}: holes were filled")
    return lines
