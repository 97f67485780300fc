"""Removing trees by open folders: no link is followed, and nothing that is mounted in them is entered."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Optional

from . import tree
from .mount_ids import MountId, mount_id
from .protected import let_change, let_in, unlink

DEEPEST = 64
# So many names of a folder are known at once: it has as many as who filled it liked.
BATCH = 65_536


class Remover:
    """Empties the open folder `top` as far as it is on this mount; counts what went and what could not (`stuck`).

    `seen` is told of each name that is no folder before it goes.
    """

    def __init__(
        self,
        top: int,
        mount: MountId,
        seen: Optional[Callable[[os.stat_result], None]] = None,  # noqa: UP045
    ) -> None:
        self.removed = 0
        self.stuck = 0
        self._top = top
        self._mount = mount
        self._seen = seen
        self._moved = 0

    def empty(self) -> None:
        """Remove everything in it, unless it is a mount point itself."""
        if mount_id(self._top) != self._mount:
            self.stuck += 1
            return
        self._empty(self._top, 0)

    def remove(self, parent: int, name: str, *, is_folder: bool) -> None:
        """Remove a name in another open folder. What lies too deep in it is moved to `top`: empty that afterwards."""
        if is_folder:
            self._remove_folder(parent, name, 0)
        else:
            self._unlink(parent, name)

    def _empty(self, folder: int, depth: int) -> None:
        while True:
            moved, stuck = self._moved, self.stuck
            batches = self._empty_once(folder, depth)
            # What was there while others went may not have been listed.
            again = batches > 1 and stuck == self.stuck
            # Folders too deep were moved to the top: they are new names there, and must go too.
            if not again and (depth or moved == self._moved):
                return

    def _empty_once(self, folder: int, depth: int) -> int:
        """Remove all that is listed; in how many batches."""
        batches, names, below = 1, list[str](), list[tuple[int, str]]()
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(names) + len(below) == BATCH:
                    self._remove_all(folder, names, below, depth)
                    batches, names, below = batches + 1, [], []
                if entry.is_dir(follow_symlinks=False):
                    below.append((entry.inode(), entry.name))
                else:
                    names.append(entry.name)
        self._remove_all(folder, names, below, depth)
        return batches

    def _remove_all(self, folder: int, names: Sequence[str], below: list[tuple[int, str]], depth: int) -> None:
        self._unlink_all(folder, names)
        # On a spinning disk depth first in the order of inodes takes four tenths of the time of any other.
        below.sort()
        for _, name in below:
            self._remove_folder(folder, name, depth)

    def _unlink_all(self, folder: int, names: Sequence[str]) -> None:
        done = 0 if self._seen else _unlinked(folder, names)
        self.removed += done
        if done < len(names):
            let_change(folder)
        for name in names[done:]:
            self._unlink(folder, name)

    def _unlink(self, parent: int, name: str) -> None:
        raw = os.fsencode(name)
        try:
            if self._seen:
                self._seen(tree.status(parent, raw))
            unlink(parent, raw)
            self.removed += 1
        except FileNotFoundError:
            return
        except OSError as problem:
            self._is_stuck(problem)

    def _is_stuck(self, problem: OSError) -> None:
        if problem.errno in (errno.EIO, errno.EROFS, errno.ENOSPC):
            raise problem
        self.stuck += 1

    def _remove_folder(self, parent: int, name: str, depth: int) -> None:
        raw = os.fsencode(name)
        try:
            if depth >= DEEPEST:
                _though_protected(self._move_up, parent, raw)
            elif self._is_emptied(parent, raw, depth):
                _though_protected(_rmdir, parent, raw)
                self.removed += 1
        except FileNotFoundError:
            return
        except OSError as problem:
            self._is_stuck(problem)

    def _is_emptied(self, parent: int, name: bytes, depth: int) -> bool:
        folder = let_in(parent, name)
        try:
            if mount_id(folder) != self._mount:
                self.stuck += 1
                return False
            before = self.stuck
            self._empty(folder, depth + 1)
            return self.stuck == before
        finally:
            os.close(folder)

    def _move_up(self, parent: int, name: bytes) -> None:
        fresh = b"deep.%d.%d" % (os.getpid(), self._moved + 1)
        os.rename(name, fresh, src_dir_fd=parent, dst_dir_fd=self._top)
        self._moved += 1


def _unlinked(folder: int, names: Sequence[str]) -> int:
    """Unlink them until one cannot be; how many went. Nothing is looked at before: most of the time that would be."""
    done, unlink = 0, os.unlink
    try:
        for name in names:
            unlink(name, dir_fd=folder)
            done += 1
    except OSError:
        return done
    return done


def _rmdir(parent: int, name: bytes) -> None:
    os.rmdir(name, dir_fd=parent)


def _though_protected(act: Callable[[int, bytes], None], parent: int, name: bytes) -> None:
    """Remove or move a folder, also where it or the one that it is in is protected by chattr(1) or its mode."""
    try:
        act(parent, name)
    except PermissionError:
        folder = let_in(parent, name)
        try:
            let_change(parent)
            let_change(folder)
        finally:
            os.close(folder)
        act(parent, name)


def remove_folder(
    parent: int,
    name: bytes,
    seen: Optional[Callable[[os.stat_result], None]] = None,  # noqa: UP045
) -> tuple[int, int]:
    """Remove the folder `name` in an open one, however deep it is; how many names went, and how many could not.

    `seen` is told of each that is no folder before it goes.
    """
    top = let_in(parent, name)
    try:
        if os.fstat(top).st_mode & 0o700 != 0o700:
            os.fchmod(top, 0o700)
        remover = Remover(top, mount_id(parent), seen)
        remover.empty()
    finally:
        os.close(top)
    if remover.stuck:
        return remover.removed, remover.stuck
    os.rmdir(name, dir_fd=parent)
    return remover.removed + 1, 0
