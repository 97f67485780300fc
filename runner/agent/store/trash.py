"""Moving to the trash what is to be removed; `reap` removes it from there."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from .. import tree
from ..answer import Refused, reply
from ..arguments import parse_as
from ..mount_ids import mount_id
from ..removal import Remover
from . import disk
from .contract.reap import Reap, Reaped
from .layout import StoreFolder, has_place, is_name, lost, open_store, partials, whose
from .lock import working


def free_name(store: StoreFolder, name: str) -> Path:
    """A place in the trash that is free, called `name` if that is."""
    count = 0
    while os.path.lexists(store.trash / (f"{name}.{count}" if count else name)):
        count += 1
    return store.trash / (f"{name}.{count}" if count else name)


def open_trash(store: StoreFolder) -> int:
    """A descriptor of the trash; raises OSError, and Refused where something else is in its place, such as a link."""
    try:
        return os.open(store.trash, tree.FOLDER)
    except OSError as problem:
        if not tree.is_absence(problem) or not os.path.lexists(store.trash):
            raise
        raise Refused(
            f"{store.trash} is no folder, or a link leads to it",
            "find out who made it and move it away: the next run makes it anew",
        ) from None


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
        late = _expired_late(store, {whose(path) for path in store.trash.iterdir()}) if _follow(store) else ()
        places = [store.trash] if partials(store) else [store.trash, store.parts]
        removed, stuck = 0, 0
        for place in places:
            gone, left = empty(store.root, place)
            removed, stuck = removed + gone, stuck + left
        _expired_late(store, late)
    if stuck:
        raise Refused(
            f"{stuck} names could not be removed, {removed} were",
            "is something mounted in the trash, or the disk failing?",
        )
    reply(Reaped(removed))
    return 0


def _expired_late(store: StoreFolder, names: Collection[str]) -> Collection[str]:
    """Those of these snapshots of which the chain cannot be told even now that they expired, on a disk so full."""
    if not any(map(is_name, names)):
        return ()
    from ..history import expiry  # noqa: PLC0415  (most empty a trash that is empty)

    return expiry.late(store, names)


def _follow(store: StoreFolder) -> bool:
    """Whether there is a trash, in which now is all that belongs there."""
    if not store.trash.is_dir():
        return False
    trash = open_trash(store)
    try:
        follow(store, trash)
        os.fsync(trash)
    finally:
        os.close(trash)
    return True


def empty(root: Path, place: Path) -> tuple[int, int]:
    """Empty the folder `place` below `root`, however deep it is; how many names went, and how many could not."""
    parts = tuple(os.fsencode(part) for part in place.relative_to(root).parts)
    try:
        with tree.parent_of(str(root), parts) as parent:
            mount, top = mount_id(parent), tree.folder(parent, parts[-1])
    except FileNotFoundError:
        return 0, 0
    try:
        remover = Remover(top, mount)
        remover.empty()
        os.fsync(top)
        return remover.removed, remover.stuck
    finally:
        os.close(top)
