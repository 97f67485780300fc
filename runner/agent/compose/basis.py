"""Reading the tree that is cloned: folders, and of all else names and inode numbers, as getdents(2) gives them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .. import tree
from ..answer import Refused, shown
from ..mount_ids import MountId, mount_id
from ..trust import US
from .descent import Descent
from .likeness import Original, seen

# Folders, and names in them, that are read before their clones are written: on a spinning disk each turn costs a seek.
FOLDERS, NAMES = 2000, 100_000
_CLOSED = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_Points = Mapping[str, Any]
_NO_POINTS: _Points = {}


class ListedNames(NamedTuple):
    """The names in a folder with their inode numbers: folders, and all else."""

    folders: dict[str, int]
    others: dict[str, int]


class ListedFolder(NamedTuple):
    """A folder of the tree: how many are above it, what it is called, what it is like, and the names in it.

    Where `is_left_out` it is empty here, and what it is there is another tree's.
    """

    depth: int
    name: str
    original: Original
    names: ListedNames
    is_left_out: bool = False


def listed_names(folder: int) -> ListedNames:
    """What is in an open folder."""
    folders, others = dict[str, int](), dict[str, int]()
    with os.scandir(folder) as entries:
        for entry in entries:
            (folders if entry.is_dir(follow_symlinks=False) else others)[entry.name] = entry.inode()
    return ListedNames(folders, others)


def opened(parent: int, name: str) -> tuple[int, bool]:
    """Descriptor of the folder `name`, and whether it is closed to us, who are not root: it is good to look at then."""
    try:
        folder = os.open(name, tree.FOLDER, dir_fd=parent)
    except PermissionError:
        if not US:
            raise
        return os.open(name, _CLOSED, dir_fd=parent), True
    return folder, bool(US) and not os.access(".", os.R_OK | os.X_OK, dir_fd=folder)


def batches(listed: Iterable[ListedFolder]) -> Iterator[list[ListedFolder]]:
    """The folders in the same order, so many at once as are to be read before anything is written."""
    batch, names = list[ListedFolder](), 0
    for each in listed:
        batch.append(each)
        names += len(each.names.others)
        if len(batch) >= FOLDERS or names >= NAMES:
            yield batch
            batch, names = [], 0
    yield batch


def folders(top: int, mount: MountId, emptied: Iterable[Sequence[str]]) -> Generator[ListedFolder, None, None]:
    """Every folder of the tree `top`, itself first: depth first, those in one folder in the order of their inodes.

    What is in the folders `emptied` is left out, and what is in those that are closed to us, who are not root: nobody
    could have put anything there. Refused where something is mounted. Memory grows with the width of a folder.
    """
    way = Descent(top)
    try:
        names = listed_names(way.here)
        yield ListedFolder(0, ".", seen(way.here), names)
        waiting, points = [_in_order(names)], [_nested(emptied)]
        while waiting:
            if not waiting[-1]:
                waiting.pop()
                points.pop()
                if waiting:
                    way.leave()
                continue
            name = waiting[-1].pop()
            inner = points[-1].get(name)
            here, closed = opened(way.here, name)
            way.enter(here)
            if mount_id(here) != mount:
                raise Refused(f"something is mounted at {shown(name)} in a snapshot", "unmount it, then try again")
            is_left_out = inner is not None and not inner
            if closed or is_left_out:
                yield ListedFolder(len(waiting), name, seen(here, closed=closed), ListedNames({}, {}), is_left_out)
                way.leave()
                continue
            names = listed_names(here)
            yield ListedFolder(len(waiting), name, seen(here), names)
            waiting.append(_in_order(names))
            points.append(inner or _NO_POINTS)
    finally:
        way.close()


def _in_order(names: ListedNames) -> list[str]:
    """The folders, last first."""
    return sorted(names.folders, key=names.folders.__getitem__, reverse=True)


def _nested(emptied: Iterable[Sequence[str]]) -> _Points:
    """The same paths as a table of tables by component; an empty one is a folder that is to be empty."""
    table: dict[str, Any] = {}
    for path in sorted(emptied, key=len):
        here = table
        for part in path:
            if part in here and not here[part]:
                break
            here = here.setdefault(part, {})
    return table


def opened_top(root: int, parts: Sequence[bytes]) -> int:
    """A descriptor of the folder at this path below the open folder `root`, on its mount; raises OSError, Refused."""
    with contextlib.ExitStack() as stack:
        here = os.dup(root)
        for part in parts:
            stack.callback(os.close, here)
            here = tree.folder(here, part)
        if mount_id(here) != mount_id(root):
            os.close(here)
            raise Refused("something is mounted there", "unmount it, then try again")
        return here
