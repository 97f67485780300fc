"""A snapshot that retention gives up becomes the new one's clone: most of its names need no new link."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Optional

from .. import durable, tree
from ..answer import TROUBLE, Refused, refusal, shown
from ..arguments import DeclaredDisk
from ..host.processes import is_entered
from ..mount_ids import MountId, mount_id
from ..protected import clear_flags, let_in
from ..retention.expire import give_up, require_spared, to_trash
from ..retention.floor import StoreFloor
from ..store import received, trash
from ..store.layout import StoreFolder, is_there, whose
from ..trust import US

# Its tree, in the partial's folder, until the folder of each filesystem has become one of those.
RECYCLED = "recycled"
_OWN = 0o700
_IN_THE_WAY = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


def is_given_up(store: StoreFolder, name: str) -> bool:
    """Whether a snapshot that is not sealed any more expired and is not reaped: whoever gave it up was cut off."""
    if os.path.lexists(store.root / name) or not store.trash.is_dir():
        return False
    return any(whose(path) == name for path in store.trash.iterdir())


@contextlib.contextmanager
def telling(store: StoreFolder, name: str) -> Iterator[None]:
    """Whatever keeps the clone from being made: let its answer say as `recycled` whether the snapshot `name` went.

    That is its name, or "" where it is sealed still; where nobody can see it the answer has no such key.
    """
    was_there = bool(name) and os.path.lexists(store.root / name)
    try:
        yield
    except BrokenPipeError:
        raise
    except (Refused, *TROUBLE) as problem:
        refused = refusal(problem)
        # What cannot be looked at now may be there or not.
        with contextlib.suppress(OSError):
            if is_there(store.root / name):
                refused.also["recycled"] = ""
            elif is_given_up(store, name):
                refused.also["recycled"] = name
            elif not was_there:
                refused.also["recycled"] = ""
        if refused is problem:
            raise
        raise refused from problem


def require_recyclable(store: StoreFolder, name: str, floor: StoreFloor, descriptor: int) -> None:
    """Refused where `expire` refuses it; `descriptor` is that of the lock."""
    if not is_given_up(store, name):
        require_spared(store, name, floor, descriptor)


def recycle(store: StoreFolder, name: str, partial: str, declared: DeclaredDisk) -> None:
    """Let the sealed snapshot `name` count no more, and put its tree into the folder of the partial.

    Cut off anywhere it is sealed and whole, or its tree is there and what is known of it is in the trash or goes there
    next. Where somebody is in it, by hand or by `restore.sh`, it goes to the trash whole: he would find the new
    snapshot's files in the place of those that he reads.
    """
    if is_given_up(store, name):
        _follow(store)
        return

    def move(bin_: int) -> None:
        if is_entered(store.root / name):
            to_trash(store, name, bin_)
            return
        # Whoever finds a record without a snapshot sees by it that nothing was lost.
        mark = trash.free_name(store, f"{name}.{RECYCLED}").name
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=bin_))
        os.fsync(bin_)
        with received.unchanged(store.root / name):
            (store.root / name).rename(store.partial / partial / RECYCLED)
        durable.sync_folder(store.partial / partial)

    give_up(store, name, declared, move)


def take_apart(store: StoreFolder, partial: int, numbers: Mapping[str, int]) -> None:
    """Let the folder of each mount point in the recycled tree be what its filesystem begins as; the rest is trash.

    Where something is already, that stays. `partial` is the open folder of the partial.
    """
    with contextlib.ExitStack() as opened:
        if _opened(opened, partial, RECYCLED.encode(), mount_id(partial)) is None:
            numbers = {}
    # What is mounted in another comes before it.
    for mount in sorted(numbers, key=lambda each: len(tree.components(each)), reverse=True):
        _cut_out(partial, (RECYCLED.encode(), *tree.components(mount)), str(numbers[mount]))
    durable.make_folder(store.trash, 0o700)
    bin_ = trash.open_trash(store)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.rename(RECYCLED, trash.free_name(store, RECYCLED).name, src_dir_fd=partial, dst_dir_fd=bin_)
    finally:
        os.close(bin_)


def _cut_out(partial: int, parts: Sequence[bytes], number: str) -> None:
    """Give the folder at this path below the open folder `partial` another name there, unless there is one already."""
    here, mount = partial, mount_id(partial)
    with contextlib.ExitStack() as opened:
        for part in parts[:-1]:
            deeper = _opened(opened, here, part, mount)
            if deeper is None:
                return
            here = deeper
        if _opened(opened, here, parts[-1], mount) is None:
            return
        try:
            os.rename(parts[-1], number, src_dir_fd=here, dst_dir_fd=partial)
        except OSError as problem:
            if problem.errno not in _IN_THE_WAY:
                raise


def _opened(opened: contextlib.ExitStack, parent: int, name: bytes, mount: MountId) -> Optional[int]:  # noqa: UP045
    """The folder `name`, so that names in it can be moved; None where there is none that no link leads to."""
    try:
        descriptor = let_in(parent, name)
    except OSError as problem:
        if not tree.is_absence(problem):
            raise
        return None
    opened.callback(os.close, descriptor)
    if mount_id(descriptor) != mount:
        raise Refused(f"something is mounted at {shown(os.fsdecode(name))} in the store", "unmount it, then try again")
    clear_flags(descriptor)
    if US and os.fstat(descriptor).st_mode & _OWN != _OWN:
        os.fchmod(descriptor, _OWN)
    return descriptor


def _follow(store: StoreFolder) -> None:
    bin_ = trash.open_trash(store)
    try:
        trash.follow(store, bin_)
        os.fsync(bin_)
    finally:
        os.close(bin_)
    durable.sync_folder(store.records)
