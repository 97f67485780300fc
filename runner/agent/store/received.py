"""The folders that a snapshot is received into, one a filesystem and side by side, and how they become one tree."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import tree
from ..answer import Refused, shown
from .layout import StoreFolder, read_json

# `begun` of a partial whose filesystems lie apart; before, each was sent into its mount point in the one tree.
APART = 2
# The same, with what is sent in a place beside it.
BESIDE = 3
# What stands for / where no filesystem is copied that is mounted there.
SCAFFOLD = "top"
# Files of which only some names were seen so far: some 100 bytes each, and a stranger decides how many there are.
_WAITING = 2_000_000
ABSENT = (FileNotFoundError, NotADirectoryError)
NO_FOLDER = (errno.ENOTDIR, errno.ELOOP, errno.ENOTEMPTY, errno.EEXIST)


def places(store: StoreFolder, name: str) -> dict[str, Path]:
    """Where each filesystem of the partial `name` was received, by its mount point."""
    begun, folder = read_json(store.begun(name)), store.partial / name
    points = [str(point) for point in begun.get("filesystems", ())]
    if begun.get("format") in (APART, BESIDE):
        return {point: folder / str(number) for number, point in enumerate(points)}
    return {point: folder / point.strip("/") for point in points}


def is_apart(store: StoreFolder, name: str) -> bool:
    """Whether the filesystems of the partial `name` lie side by side."""
    return read_json(store.begun(name)).get("format") in (APART, BESIDE)


def is_folder(store: StoreFolder, below: str) -> bool:
    """Whether this path in the store is a folder that no symbolic link leads to."""
    try:
        os.close(tree.above(str(store.root), (*tree.components(f"/{below}"), b".")))
    except (OSError, Refused):
        return False
    return True


def is_alone(folder: Path) -> bool:
    """Whether no file in this tree has a name outside of it: then nobody who writes to it changes anything else.

    Looks at every name. False too where not all of it can be seen, or too many files wait for another name of theirs.
    """
    outside: dict[int, int] = {}
    try:
        with _opened(folder) as top:
            for _, _, (_, status) in tree.names(top):
                if stat.S_ISDIR(status.st_mode) or status.st_nlink == 1:
                    continue
                left = outside.pop(status.st_ino, status.st_nlink) - 1
                if left:
                    outside[status.st_ino] = left
                if len(outside) > _WAITING:
                    return False
    except OSError:
        return False
    return not outside


def lacks(copy: Path, path: str, names: int) -> bool:
    """Whether the folder `path` below `copy` is not there, or has fewer than so many names in it."""
    try:
        with tree.parent_of(str(copy), (*tree.components(f"/{path}"), b"")) as folder, os.scandir(folder) as entries:
            return sum(1 for _ in entries) < names
    except OSError:
        return True


def join(store: StoreFolder, name: str, points: Sequence[str], host: str) -> Path:
    """Put each filesystem at its mount point in the tree of /, and give that; Refused where no empty folder is there.

    Only descriptors are followed, never a name that came from the host. Cut off anywhere, `part` undoes it.
    """
    folder = store.partial / name
    top = _top(folder, points)
    if top.name == SCAFFOLD:
        top.mkdir(exist_ok=True)
        top.chmod(0o755)
    with _opened(folder) as beside, _opened(top) as root:
        for number, point in _deepest_last(points):
            parts = tree.components(point)
            try:
                with _parent(root, parts, make=True) as parent, _kept(beside, str(number).encode()), _times(parent):
                    os.rename(str(number), parts[-1], src_dir_fd=beside, dst_dir_fd=parent)
            except OSError as problem:
                if problem.errno not in NO_FOLDER:
                    raise
                raise Refused(
                    f"{host} says that {shown(point)} is mounted there, but in the copy of what lies around it that is "
                    "no empty folder: nothing was put there",
                    f"look at {shown(point)} on {host}: a mount that came or went meanwhile is in order by the next "
                    "run; anything else means that the host is not what it says",
                ) from None
        os.fsync(root)
    return top


def part(store: StoreFolder, name: str) -> None:
    """Put the filesystems of an interrupted snapshot side by side again, where a seal that was cut off joined some."""
    if not is_apart(store, name):
        return
    folder, points = store.partial / name, tuple(places(store, name))
    with _opened(folder) as beside, contextlib.suppress(FileNotFoundError), _opened(_top(folder, points)) as root:
        for number, point in reversed(_deepest_last(points)):
            parts = tree.components(point)
            # One that is neither here nor there is refused when it is to be shared with.
            if not (folder / str(number)).exists():
                with contextlib.suppress(*ABSENT), _parent(root, parts, make=False) as parent, _kept(parent, parts[-1]):
                    os.rename(parts[-1], str(number), src_dir_fd=parent, dst_dir_fd=beside)


def _top(folder: Path, points: Sequence[str]) -> Path:
    return folder / (str(points.index("/")) if "/" in points else SCAFFOLD)


def _deepest_last(points: Sequence[str]) -> list[tuple[int, str]]:
    """The number of each mount point but /, and the point; what is mounted in another comes after it."""
    numbered = [(number, point) for number, point in enumerate(points) if point != "/"]
    return sorted(numbered, key=lambda each: len(tree.components(each[1])))


@contextlib.contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    """Leave it with its mode and its times, though it is moved meanwhile."""
    with _opened(folder) as descriptor, _times(descriptor):
        yield


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, tree.FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _parent(root: int, parts: Sequence[bytes], *, make: bool) -> Iterator[int]:
    """A descriptor of the folder that holds the last of `parts`, below `root`; with `make` missing ones are made."""
    here = os.dup(root)
    try:
        for each in parts[:-1]:
            try:
                deeper = tree.folder(here, each)
            except FileNotFoundError:
                if not make:
                    raise
                deeper = _made(here, each)
            os.close(here)
            here = deeper
        yield here
    finally:
        os.close(here)


def _made(parent: int, name: bytes) -> int:
    with _times(parent):
        os.mkdir(name, dir_fd=parent)
    descriptor = tree.folder(parent, name)
    os.fchmod(descriptor, 0o755)
    return descriptor


@contextlib.contextmanager
def _times(folder: int) -> Iterator[None]:
    """Leave the folder with the mode and the times that it has, whatever is put into it meanwhile."""
    before = os.fstat(folder)
    # Who is not root may put nothing into a folder that is closed to its owner.
    if os.geteuid():
        os.fchmod(folder, before.st_mode & 0o7777 | 0o700)
    try:
        yield
    finally:
        if os.geteuid():
            os.fchmod(folder, before.st_mode & 0o7777)
        os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


@contextlib.contextmanager
def _kept(parent: int, name: bytes) -> Iterator[None]:
    """The same of a folder that is itself moved: its `..` is written anew."""
    descriptor = tree.folder(parent, name)
    try:
        with _times(descriptor):
            yield
    finally:
        os.close(descriptor)
