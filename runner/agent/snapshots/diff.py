"""`diff`: what changed between two snapshots, by inode first, so that what is shared costs nothing."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from .. import tree
from ..answer import Refused, reply, shown
from ..arguments import parse_as
from ..store.layout import open_store, require_sealed
from .contract.diff import Diff, DiffCounts, SnapshotDifference
from .find import request

DEEPEST = 400
CHANGES = ("added", "removed", "content", "attributes", "type")
Status = Optional[os.stat_result]  # noqa: UP045


class FolderPair(NamedTuple):
    """The same folder in both snapshots, as open descriptors; None where it is no folder there."""

    old: int | None
    new: int | None


def run(argv: Sequence[str]) -> int:
    """Print a line for each difference in path order, then the counts; reads only.

    Content differs when type-specific content does: size or time of a file, target of a link, number
    of a device. Attributes are mode, owner and extended attributes (ACLs are among them).
    """
    options = parse_as(Diff, argv)
    store, names = open_store(options.store), (options.older, options.newer)
    require_sealed(store, *names)
    parts = tree.components(request("path", '{"path": "/etc"}')["path"])
    counts = dict.fromkeys(CHANGES, 0)
    with contextlib.ExitStack() as stack:
        pair = FolderPair(*(_above(stack, str(store.root / name), parts) for name in names))
        where = b"".join(b"/" + part for part in parts)
        for change in _compare(pair, parts[-1] if parts else b".", where or b"/"):
            counts[change.change] += 1
            reply(change)
    reply(DiffCounts(counts))
    return 0


def _above(stack: contextlib.ExitStack, root: str, parts: tuple[bytes, ...]) -> int | None:
    try:
        parent = tree.above(root, parts)
    except OSError as problem:
        if tree.is_absence(problem):
            return None
        raise
    stack.callback(os.close, parent)
    return parent


def _compare(pair: FolderPair, name: bytes, path: bytes) -> Iterator[SnapshotDifference]:
    old, new = _status(pair.old, name), _status(pair.new, name)
    change = _change(pair, name, old, new)
    status = new or old
    if change and status:
        yield SnapshotDifference(change, os.fsdecode(path), status.st_size)
    if _is_folder(old) or _is_folder(new):
        if path.count(b"/") > DEEPEST:
            raise Refused(f"{shown(os.fsdecode(path))} is too deep", "compare a folder further down")
        inside = FolderPair(_open(pair.old, name, old), _open(pair.new, name, new))
        try:
            for child in sorted(_list(inside.old) | _list(inside.new)):
                yield from _compare(inside, child, path.rstrip(b"/") + b"/" + child)
        finally:
            for descriptor in inside:
                if descriptor is not None:
                    os.close(descriptor)


def _change(pair: FolderPair, name: bytes, old: Status, new: Status) -> str:
    if old is None or new is None:
        return "added" if new else "removed" if old else ""
    if (old.st_dev, old.st_ino) == (new.st_dev, new.st_ino):
        return ""
    if stat.S_IFMT(old.st_mode) != stat.S_IFMT(new.st_mode):
        return "type"
    if _content(pair.old, name, old) != _content(pair.new, name, new):
        return "content"
    if (old.st_mode, old.st_uid, old.st_gid) != (new.st_mode, new.st_uid, new.st_gid):
        return "attributes"
    before, after = (tree.extended(parent or 0, name) for parent in pair)
    return "attributes" if before != after else ""


def _content(parent: int | None, name: bytes, status: os.stat_result) -> object:
    if stat.S_ISREG(status.st_mode):
        return status.st_size, status.st_mtime_ns
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(name, dir_fd=parent)
    return status.st_rdev if stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode) else None


def _status(parent: int | None, name: bytes) -> Status:
    try:
        return None if parent is None else tree.status(parent, name)
    except OSError as problem:
        if tree.is_absence(problem):
            return None
        raise


def _is_folder(status: Status) -> bool:
    return status is not None and stat.S_ISDIR(status.st_mode)


def _open(parent: int | None, name: bytes, status: Status) -> int | None:
    return tree.folder(parent, name) if parent is not None and _is_folder(status) else None


def _list(descriptor: int | None) -> set[bytes]:
    if descriptor is None:
        return set()
    with os.scandir(descriptor) as entries:
        return {os.fsencode(entry.name) for entry in entries}
