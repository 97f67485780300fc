"""`reap`: remove what is in the trash, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .. import tree
from ..answer import Refused, emit
from ..arguments import DISK, parse
from . import disk
from .layout import open_store, partials
from .lock import working
from .remove import Remover


def run(argv: Sequence[str]) -> int:
    """Empty `.trash/`, and `.partial/parts/` when no partial is left; print how many names went.

    Never follows a symbolic link and never enters another mount: what is mounted there stays, and
    is Refused once everything else is gone. Can be repeated after any interruption.
    """
    call = parse(argv, words=1, one=("plan", *DISK))
    store = open_store(call.words[0])
    with working(store, call.one["plan"]):
        disk.require(store, disk.Declared(call.one["mount"], call.one["uuid"].lower()))
        places = [store.trash] if partials(store) else [store.trash, store.parts]
        removed, stuck = 0, 0
        for place in places:
            gone, left = _empty(store.root, place)
            removed, stuck = removed + gone, stuck + left
    if stuck:
        raise Refused(
            f"{stuck} names could not be removed, {removed} were",
            "is something mounted in the trash, or the disk failing?",
        )
    emit({"removed": removed})
    return 0


def _empty(root: Path, place: Path) -> tuple[int, int]:
    parts = tuple(os.fsencode(part) for part in place.relative_to(root).parts)
    try:
        parent = tree.above(str(root), parts)
    except FileNotFoundError:
        return 0, 0
    try:
        top = tree.folder(parent, os.fsencode(place.name))
    except FileNotFoundError:
        return 0, 0
    finally:
        os.close(parent)
    try:
        remover = Remover(top)
        remover.empty(top, depth=0)
        os.fsync(top)
        return remover.removed, remover.stuck
    finally:
        os.close(top)
