"""The tree that becomes a snapshot: what was sent takes the place of what is in the clone, name by name.

Files of the clone are inodes of sealed snapshots: names of theirs go and come here, and nothing else about them
changes. Folders are the clone's own. No link is followed, and only names that are listed are taken: what was sent may
hold others, of a try that was interrupted.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from .. import tree
from ..answer import Refused, shown
from ..protected import is_protected, unlink
from .alike import NameInFolder, is_alike
from .attributes import Attributes
from .leaving import Leaving, Taken
from .older import OlderSnapshots
from .settled import Fates
from .way import OpenFolder, Way

NEVER = (b"", b".", b"..")
# No filesystem that a store is on takes fewer names an inode; what the C library does not know it calls 127.
LEAST_LIMIT = 32000


class LinkGroup:
    """An inode that was sent under several names: `first` is the first of them, `names` how many came so far.

    `kept` is the inode of the clone that stands for it, 0 where it was placed itself.
    """

    def __init__(self, kept: int, first: bytes) -> None:
        self.kept = kept
        self.first = first
        self.names = 1


class ComposedTree:
    """The clone at `place`, the open folders of it and of what was sent; counts as `ComposedFilesystem` says.

    An inode of the clone stands for at most one that was sent. Memory grows with those, and with the link groups.
    `leaving` is told which names of the clone go and come; `shared` files are an older snapshot's.

    By their `fates`, names that are gone came when the source had been looked at, or by an earlier transfer, if they
    were sent at all. A folder that stays and was not sent as one is left as it is, with all in it that is not listed:
    it went away since. The first name that was not sent, and is not gone, is `unsent`.
    """

    fates = Fates()

    def __init__(self, place: Path, clone: int, sent: int, older: OlderSnapshots, leaving: Leaving) -> None:
        self.placed = 0
        self.kept = 0
        self.missing = 0
        self.shared = 0
        self.unsent = b""
        self._leaving = leaving
        self._place = place
        self._way = Way(clone, sent, leaving)
        self._older = older
        self._most = most_names(clone)
        self._groups: dict[int, LinkGroup] = {}
        self._taken: set[int] = set()

    @property
    def removed(self) -> int:
        """How many names went of those that the clone had."""
        return self._way.removed

    @property
    def names_placed(self) -> int:
        """How many names are new, or another inode; folders among them."""
        return self.placed + self._way.made

    @property
    def left(self) -> Taken:
        """What those inodes of the clone take that have no name in it any more."""
        return self._leaving.taken

    def take(self, path: bytes) -> None:
        """Let the clone have at `path`, as it was listed, what was sent for it, or nothing where nothing was.

        Refused where it is no path in the tree. What is listed may come in any order, each name once.
        """
        parts = _parts(path)
        gone = path[2:] in self.fates.gone
        folder = self._enter(parts[:-1], make=not gone)
        name = parts[-1]
        sent = folder.in_sent(name) if folder and not gone else None
        there = folder.in_clone(name) if folder else None
        if folder and there and path[2:] in self.fates.replaced and _is_folder(there):
            self._remove(folder, name, there)
            there = None
        if path[2:] in self.fates.stays and _is_folder(there) and not _is_folder(sent.status if sent else None):
            self.kept += 1
        elif folder is None or sent is None:
            self.missing += 1
            self.unsent = self.unsent or (b"" if gone else path[2:])
            if folder and there:
                self._remove(folder, name, there)
        elif _is_folder(sent.status):
            self._way.descend(name)
            self._way.last.due = True
        else:
            if there and _is_folder(there):
                self._remove(folder, name, there)
                there = None
            self._put(path[2:], folder, sent, there)

    def _enter(self, parts: tuple[bytes, ...], *, make: bool) -> OpenFolder | None:
        made = self._way.made
        folder = self._way.enter(parts, make=make)
        path = self._way.last.path
        for _ in range(self._way.made - made):
            # One that is gone by what was seen first, and is there by what was seen in it.
            self.missing -= path in self.fates.gone
            path = path.rpartition(b"/")[0]
        return folder

    def finish(self, top: Attributes) -> None:
        """Give the top folder its attributes; nothing is taken any more."""
        self._way.finish(top)

    def rest(self) -> None:
        """Leave every folder but the top."""
        self._way.rest()

    def close(self) -> None:
        """Close what is open, whatever it is like."""
        self._way.close()

    def _put(self, path: bytes, folder: OpenFolder, sent: NameInFolder, there: os.stat_result | None) -> None:
        """Let the name have what was sent, or the inode of the clone that is like it: all of a group, or none of it."""
        group = self._groups.get(sent.status.st_ino)
        if group:
            self._join(group, folder, sent, there)
            group.names += 1
            return
        alike = self._is_to_stay(folder, sent, there)
        alone = sent.status.st_nlink == 1
        if alike:
            self._keep(folder, sent)
        elif not alone or not self._share(path, folder, sent, there):
            self._rename(folder, sent, there)
        if not alone:
            self._groups[sent.status.st_ino] = LinkGroup(there.st_ino if alike and there else 0, path)

    def _is_to_stay(self, folder: OpenFolder, sent: NameInFolder, there: os.stat_result | None) -> bool:
        """Whether the inode of the clone is like what was sent, stands for nothing else, and can have all its names."""
        if there is None or there.st_ino in self._taken:
            return False
        more = sent.status.st_nlink
        if more > 1 and (there.st_nlink + more > self._most or is_protected(folder.clone, sent.name)):
            return False
        if not is_alike(sent, NameInFolder(folder.clone, sent.name, there)):
            return False
        self._taken.add(there.st_ino)
        return True

    def _join(self, group: LinkGroup, folder: OpenFolder, sent: NameInFolder, there: os.stat_result | None) -> None:
        if not group.kept:
            # A name that is new may come before the one that the clone knows.
            early = group.names == 1 and self._is_to_stay(folder, sent, there)
            if early and there and self._relink(group, folder, sent):
                group.kept = there.st_ino
                self._leaving.comes(there.st_ino)
                self._keep(folder, sent)
            else:
                self._rename(folder, sent, there)
        elif there and there.st_ino == group.kept:
            self._keep(folder, sent)
        else:
            if there:
                self._remove(folder, sent.name, there)
            parts = tuple(group.first.split(b"/"))
            with tree.parent_of(str(self._place), parts) as other:
                self._link(other, parts[-1], folder, sent.name)
            self._leaving.comes(group.kept)
            self._forget(folder, sent)

    def _relink(self, group: LinkGroup, folder: OpenFolder, sent: NameInFolder) -> bool:
        """Let the first name of a group be a link to what the clone has at this one."""
        parts = tuple(group.first.split(b"/"))
        try:
            with tree.parent_of(str(self._place), parts) as other:
                before = os.fstat(other)
                os.unlink(parts[-1], dir_fd=other)
                linked = _try_link(folder.clone, sent.name, other, parts[-1])
                if not linked:
                    os.link(sent.name, parts[-1], src_dir_fd=sent.folder, dst_dir_fd=other, follow_symlinks=False)
                os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        except PermissionError:
            # Who is not root may not change a folder that is closed again.
            return False
        return linked

    def _share(self, path: bytes, folder: OpenFolder, sent: NameInFolder, there: os.stat_result | None) -> bool:
        """Link what an older snapshot has there, where that is like what was sent."""
        same = self._older.alike(path, sent, self._taken)
        if same is None:
            return False
        if there:
            self._remove(folder, sent.name, there)
        try:
            self._link(same.folder, same.name, folder, sent.name)
        except OSError as problem:
            if problem.errno not in (errno.EMLINK, errno.EPERM):
                raise
            self._rename(folder, sent, None)
        else:
            self._taken.add(same.status.st_ino)
            self.shared += 1
            self._forget(folder, sent)
        return True

    def _link(self, other: int, known: bytes, folder: OpenFolder, name: bytes) -> None:
        os.link(known, name, src_dir_fd=other, dst_dir_fd=folder.clone, follow_symlinks=False)
        folder.changed = True
        self.placed += 1

    def _rename(self, folder: OpenFolder, sent: NameInFolder, there: os.stat_result | None) -> None:
        try:
            os.rename(sent.name, sent.name, src_dir_fd=sent.folder, dst_dir_fd=folder.clone)
        except PermissionError:
            if there is None:
                raise
            # One that chattr(1) protects is replaced as it is removed.
            unlink(folder.clone, sent.name)
            os.rename(sent.name, sent.name, src_dir_fd=sent.folder, dst_dir_fd=folder.clone)
        folder.changed = folder.taken = True
        if there:
            self._leaving.name(folder.below(sent.name), is_folder=False)
            self._leaving.goes(there)
            self._way.removed += 1
        self.placed += 1

    def _keep(self, folder: OpenFolder, sent: NameInFolder) -> None:
        self._forget(folder, sent)
        self.kept += 1

    def _forget(self, folder: OpenFolder, sent: NameInFolder) -> None:
        os.unlink(sent.name, dir_fd=sent.folder)
        folder.taken = True

    def _remove(self, folder: OpenFolder, name: bytes, there: os.stat_result) -> None:
        self._way.removed += folder.remove(name, there, self._leaving)


def most_names(descriptor: int) -> int:
    """How many names an inode can have on the filesystem of an open folder."""
    return max(os.fpathconf(descriptor, "PC_LINK_MAX"), LEAST_LIMIT)


def _try_link(folder: int, name: bytes, other: int, fresh: bytes) -> bool:
    try:
        os.link(name, fresh, src_dir_fd=folder, dst_dir_fd=other, follow_symlinks=False)
    except OSError as problem:
        if problem.errno not in (errno.EMLINK, errno.EPERM):
            raise
        return False
    return True


def _is_folder(status: os.stat_result | None) -> bool:
    return status is not None and stat.S_ISDIR(status.st_mode)


def _parts(path: bytes) -> tuple[bytes, ...]:
    start, *parts = path.split(b"/")
    if start != b"." or not parts or any(part in NEVER for part in parts):
        raise Refused(f"no name in a tree: {shown(os.fsdecode(path[:200]))}", "run the job again; the partial is kept")
    return tuple(parts)
