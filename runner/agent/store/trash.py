"""Moving to the trash what is to be removed; `reap` removes it from there."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import re
from collections.abc import Sequence
from pathlib import Path

from .. import tree
from ..answer import Refused, reply
from ..arguments import parse_as
from . import disk
from .contract import Reap, Reaped
from .layout import StoreFolder, has_place, is_name, lost, open_store, partials, whose
from .lock import working

DEEPEST = 64
GET_FLAGS = 0x80086601
SET_FLAGS = 0x40086602
IMMUTABLE = 0x10
IMMUTABLE_OR_APPEND = IMMUTABLE | 0x20


def free_name(store: StoreFolder, name: str) -> Path:
    """A place in the trash that is free, called `name` if that is."""
    count = 0
    while os.path.lexists(store.trash / (f"{name}.{count}" if count else name)):
        count += 1
    return store.trash / (f"{name}.{count}" if count else name)


def open_trash(store: StoreFolder) -> int:
    """A descriptor of the trash; raises OSError, also where it is a symbolic link."""
    return os.open(store.trash, tree.FOLDER)


def move(store: StoreFolder, path: Path, trash: int) -> None:
    """Rename `path` into the open folder `trash`, under its own name if that is free."""
    os.rename(path, free_name(store, path.name).name, dst_dir_fd=trash)


def follow(store: StoreFolder, trash: int) -> None:
    """Move there what is known of snapshots that expired. What is known of a lost one stays: it is the evidence.

    Raises OSError, and moves nothing, where it cannot be seen which are lost.
    """
    if not store.records.is_dir():
        return
    known: dict[str, list[Path]] = {}
    gone = set(lost(store))
    for path in sorted(store.records.iterdir()):
        known.setdefault(whose(path), []).append(path)
    for name, paths in known.items():
        if is_name(name) and name not in gone and not has_place(store, name):
            for path in paths:
                move(store, path, trash)


def run(argv: Sequence[str]) -> int:
    """Empty `.trash/`, and `.partial/parts/` when no partial is left; print how many names went.

    Never follows a symbolic link and never enters another mount: what is mounted there stays, and
    is Refused once everything else is gone. Can be repeated after any interruption.
    """
    options = parse_as(Reap, argv)
    store = open_store(options.store)
    with working(store, options.plan):
        disk.require(store, options.disk)
        if store.trash.is_dir():
            _follow(store)
        places = [store.trash] if partials(store) else [store.trash, store.parts]
        removed, stuck = 0, 0
        for place in places:
            gone, left = empty(store.root, place)
            removed, stuck = removed + gone, stuck + left
    if stuck:
        raise Refused(
            f"{stuck} names could not be removed, {removed} were",
            "is something mounted in the trash, or the disk failing?",
        )
    reply(Reaped(removed))
    return 0


def _follow(store: StoreFolder) -> None:
    trash = open_trash(store)
    try:
        follow(store, trash)
        os.fsync(trash)
    finally:
        os.close(trash)


def empty(root: Path, place: Path) -> tuple[int, int]:
    """Empty the folder `place` below `root`, however deep it is; how many names went, and how many could not."""
    parts = tuple(os.fsencode(part) for part in place.relative_to(root).parts)
    try:
        with tree.parent_of(str(root), parts) as parent:
            mount, top = _mount_id(parent), tree.folder(parent, parts[-1])
    except FileNotFoundError:
        return 0, 0
    try:
        remover = Remover(top, mount)
        remover.empty()
        os.fsync(top)
        return remover.removed, remover.stuck
    finally:
        os.close(top)


class Remover:
    """Empties the open folder `top` as far as it is on this mount; counts what went and what could not (`stuck`)."""

    def __init__(self, top: int, mount: tuple[int, int]) -> None:
        self.removed = 0
        self.stuck = 0
        self._top = top
        self._mount = mount
        self._moved = 0

    def empty(self) -> None:
        """Remove everything in it, unless it is a mount point itself."""
        if _mount_id(self._top) != self._mount:
            self.stuck += 1
            return
        _clear_flags(self._top)
        self._empty(self._top, 0)

    def _empty(self, folder: int, depth: int) -> None:
        while True:
            moved = self._moved
            with os.scandir(folder) as entries:
                listed = [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
            for name, is_folder in listed:
                self._remove(folder, name, is_folder, depth)
            # Folders too deep were moved to the top: they are new names there, and must go too.
            if depth or moved == self._moved:
                return

    def _remove(self, parent: int, name: bytes, is_folder: bool, depth: int) -> None:
        try:
            if is_folder and depth >= DEEPEST:
                self._move_up(parent, name)
            elif is_folder:
                self._remove_folder(parent, name, depth)
            else:
                self._unlink(parent, name)
        except FileNotFoundError:
            return
        except OSError as problem:
            if problem.errno in (errno.EIO, errno.EROFS, errno.ENOSPC):
                raise
            self.stuck += 1

    def _remove_folder(self, parent: int, name: bytes, depth: int) -> None:
        try:
            folder = tree.folder(parent, name)
        except PermissionError:
            _permit(parent, name)
            folder = tree.folder(parent, name)
        try:
            if _mount_id(folder) != self._mount:
                self.stuck += 1
                return
            _clear_flags(folder)
            if os.fstat(folder).st_mode & 0o700 != 0o700:
                os.fchmod(folder, 0o700)
            before = self.stuck
            self._empty(folder, depth + 1)
        finally:
            os.close(folder)
        if self.stuck == before:
            os.rmdir(name, dir_fd=parent)
            self.removed += 1

    def _move_up(self, parent: int, name: bytes) -> None:
        self._moved += 1
        fresh = b"deep.%d.%d" % (os.getpid(), self._moved)
        os.rename(name, fresh, src_dir_fd=parent, dst_dir_fd=self._top)

    def _unlink(self, parent: int, name: bytes) -> None:
        try:
            os.unlink(name, dir_fd=parent)
        except PermissionError:
            _unlink_flagged(parent, name)
        self.removed += 1


def _unlink_flagged(parent: int, name: bytes) -> None:
    """Unlink a file that chattr(1) protects; its other names, in sealed snapshots, stay protected."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    try:
        flags = _clear_flags(descriptor)
        os.unlink(name, dir_fd=parent)
        if flags and os.fstat(descriptor).st_nlink:
            fcntl.ioctl(descriptor, SET_FLAGS, array.array("i", [flags]))
    finally:
        os.close(descriptor)


def _clear_flags(descriptor: int) -> int:
    """Take immutable and append-only from an open file; gives the flags that it had, 0 if neither."""
    flags = array.array("i", [0])
    try:
        fcntl.ioctl(descriptor, GET_FLAGS, flags, True)
        if not flags[0] & IMMUTABLE_OR_APPEND:
            return 0
        fcntl.ioctl(descriptor, SET_FLAGS, array.array("i", [flags[0] & ~IMMUTABLE_OR_APPEND]))
    except OSError:
        return 0
    return flags[0]


def _permit(parent: int, name: bytes) -> None:
    """Let its owner into a folder; only the folder itself is changed, never what a link points to."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{descriptor}").chmod(0o700)
    finally:
        os.close(descriptor)


def _mount_id(descriptor: int) -> tuple[int, int]:
    # A bind mount of the same filesystem has the same st_dev: only the mount's id tells them apart.
    about = os.open(b"/proc/self/fdinfo/%d" % descriptor, os.O_RDONLY | os.O_CLOEXEC)
    try:
        mount = re.search(rb"^mnt_id:\s*([0-9]+)$", os.read(about, 4096), re.MULTILINE)
    finally:
        os.close(about)
    if not mount:
        raise Refused("the kernel does not say on which mount a folder is", "is /proc mounted?")
    return os.fstat(descriptor).st_dev, int(mount[1])
