"""An exact hard-link clone of a tree that nobody writes any more, from nothing or from whatever is there.

Both lie on one mount, so whatever has an inode number of the original's is the original's: names are compared by what
getdents(2) says, and no file is looked at. Folders cannot be shared: they get the original's attributes.
"""

from __future__ import annotations

import array
import contextlib
import errno
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Optional

from ..answer import Refused, shown
from ..mount_ids import mount_id
from ..protected import clear_flags, is_protected, let_in
from ..removal import Remover
from ..trust import US
from .basis import ListedFolder, ListedNames, batches, folders, listed_names
from .descent import Descent, LateDescent
from .leaving import Taken, several
from .likeness import copy, equalize

# So many folders between two looks at the room of the disk.
OFTEN = 64
_OWN = 0o700


class TreeWork(NamedTuple):
    """What a clone has and took: folders, names that were there, links made, copies of what takes no link.

    `removed` names were there and are not the original's. `room` is what the original's folders take, which it shares
    with nobody, and `groups` are the inodes that have several names in it, and how many.
    """

    folders: int = 0
    kept: int = 0
    linked: int = 0
    copied: int = 0
    removed: int = 0
    room: Taken = Taken()
    groups: Optional[Mapping[int, int]] = None  # noqa: UP045

    @property
    def names(self) -> int:
        """How many names the clone has, its top among them."""
        return self.folders + self.kept + self.linked + self.copied


class _Twin(NamedTuple):
    """The copy of an inode: its name in the scratch folder, and its own number."""

    name: str
    inode: int


class TreeClone:
    """Makes the open folder `clone` an exact hard-link clone of the open folder `original`; can be repeated.

    No link is followed, no mount entered, nothing of the original changed but the number of its links. Cut off at any
    moment it leaves a tree from which it can be repeated. `scratch` is an empty open folder beside the clone; what is
    in it afterwards is nothing. `look` is called every now and then, and may raise.
    """

    def __init__(self, original: int, clone: int, scratch: int, look: Callable[[], object] = lambda: None) -> None:
        self._original = original
        self._clone = clone
        self._scratch = scratch
        self._look = look
        self._mount = mount_id(original)
        if not self._mount == mount_id(clone) == mount_id(scratch):
            raise Refused("the clone and its original are on two mounts", "look at what is mounted in the store")
        self._remover = Remover(scratch, self._mount)
        self._copies: dict[int, _Twin] = {}
        self._made = 0

    def make(self, emptied: Iterable[Sequence[str]] = ()) -> TreeWork:
        """Do it, and leave out what is in the folders `emptied`; raises OSError, Refused where something is mounted."""
        points = tuple(emptied)
        work, replaced = self._pass(points), 0
        if self._copies:
            # Names that were linked before a link failed belong to the same group: they join its copy.
            removed, again = self._remover.removed, self._pass(points)
            replaced = self._remover.removed - removed
            others = again.names - again.folders - self._made
            linked = min(work.linked + again.linked, others)
            work = TreeWork(again.folders, others - linked, linked, self._made)
        self._remover.empty()
        self._require_removed()
        removed = self._remover.removed - replaced - self._made
        return work._replace(removed=removed, room=self._room, groups=several(self._inodes))

    def _pass(self, emptied: Sequence[Sequence[str]]) -> TreeWork:
        # Most folders of the original have nothing that the clone lacks: they are not opened again.
        self._from, self._to = LateDescent(self._original), Descent(self._clone)
        # The folders on the way, and those in each that the clone lacks.
        self._way: list[ListedFolder] = []
        self._lacking: list[Collection[str]] = []
        self._folders = self._kept = self._linked = 0
        self._room, self._inodes = Taken(), array.array("Q")
        made = self._made
        try:
            with contextlib.closing(folders(self._original, self._mount, emptied)) as listed:
                for batch in batches(listed):
                    for each in batch:
                        self._folder(each)
            self._leave(0)
        finally:
            self._from.close()
            self._to.close()
        copied = self._made - made
        return TreeWork(self._folders, self._kept, self._linked - copied, copied)

    def _folder(self, listed: ListedFolder) -> None:
        self._leave(listed.depth)
        if not self._folders % OFTEN:
            self._look()
        self._folders += 1
        self._inodes.extend(listed.names.others.values())
        is_new = self._enter(listed)
        names = self._expected(listed.names)
        missing, lacking = (names.others, names.folders) if is_new else self._clean(names)
        self._lacking.append(lacking)
        self._kept += len(names.others) - len(missing)
        self._linked += len(missing)
        if missing:
            self._link(missing, listed.names.others)

    def _link(self, missing: Iterable[str], inodes: Mapping[str, int]) -> None:
        source, target, copies, link = self._from.here, self._to.here, self._copies, os.link
        for name in missing:
            if copies and inodes[name] in copies:
                self._link_copy(name, inodes[name])
                continue
            try:
                link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
            except OSError as problem:
                if problem.errno == errno.EXDEV:
                    raise _mounted(name) from None
                takes_none = problem.errno == errno.EPERM and is_protected(source, os.fsencode(name))
                if problem.errno != errno.EMLINK and not takes_none:
                    raise
                self._link_copy(name, inodes[name])

    def _link_copy(self, name: str, inode: int) -> None:
        """Let a name join the copy of its inode, which is made where there is none or it takes no link either."""
        target = self._to.here
        for fresh in (False, True):
            if fresh or inode not in self._copies:
                self._made += 1
                number = copy(self._from.here, name, self._scratch, str(self._made))
                self._copies[inode] = _Twin(str(self._made), number)
            try:
                known = self._copies[inode].name
                os.link(known, name, src_dir_fd=self._scratch, dst_dir_fd=target, follow_symlinks=False)
            except OSError as problem:
                if fresh or problem.errno != errno.EMLINK:
                    raise
            else:
                return

    def _expected(self, names: ListedNames) -> ListedNames:
        """What is to be in the clone's folder: of an inode that was copied the copy."""
        if not self._copies or self._copies.keys().isdisjoint(names.others.values()):
            return names
        known = self._copies
        others = {name: known[inode].inode if inode in known else inode for name, inode in names.others.items()}
        return ListedNames(names.folders, others)

    def _clean(self, names: ListedNames) -> tuple[Collection[str], Collection[str]]:
        """Remove from the clone what is not to be there; the names to be linked, and the folders to be made."""
        here = self._to.here
        there = listed_names(here)
        if there.others == names.others and there.folders.keys() == names.folders.keys():
            return (), ()
        for name, inode in there.others.items():
            if names.others.get(name) != inode:
                self._remover.remove(here, name, is_folder=False)
        for name in there.folders.keys() - names.folders.keys():
            self._remover.remove(here, name, is_folder=True)
        self._require_removed()
        missing = [name for name, inode in names.others.items() if there.others.get(name) != inode]
        return missing, names.folders.keys() - there.folders.keys()

    def _require_removed(self) -> None:
        if self._remover.stuck:
            raise Refused("what is in the way of a clone cannot be removed", "is something mounted in .partial?")

    def _enter(self, listed: ListedFolder) -> bool:
        """Go down into a folder of both trees, which is made where the clone lacks it; whether it was."""
        is_new = False
        if listed.depth:
            name = os.fsencode(listed.name)
            is_new = listed.name in self._lacking[-1]
            if is_new:
                os.mkdir(name, _OWN, dir_fd=self._to.here)
            self._from.enter(name)
            self._to.enter(let_in(self._to.here, name))
        self._way.append(listed)
        here = self._to.here
        if not is_new:
            if mount_id(here) != self._mount:
                raise _mounted(listed.name)
            clear_flags(here)
        if US and os.fstat(here).st_mode & _OWN != _OWN:
            os.fchmod(here, _OWN)
        return is_new

    def _leave(self, depth: int) -> None:
        """Leave the folders that have so many above them; each has all that is to be in it, and gets its attributes."""
        while len(self._way) > depth:
            left = self._way.pop()
            equalize(left.original, self._to.here)
            if not left.is_left_out:
                self._room = self._room.and_of(left.original.status)
            self._lacking.pop()
            self._from.leave()
            self._to.leave()


def _mounted(name: str) -> Refused:
    return Refused(f"something is mounted at {shown(name)} in the store", "unmount it, then try again")
