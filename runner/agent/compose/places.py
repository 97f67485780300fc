"""Folders that are made in a partial's own, whatever lies in their place."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from .. import tree
from ..answer import Refused, shown
from ..mount_ids import mount_id
from ..protected import let_in
from ..removal import Remover


@contextlib.contextmanager
def placed(partial: int, name: str) -> Iterator[int]:
    """The folder `name` in the open folder `partial`, open. It is made where none is; anything else there goes."""
    try:
        descriptor = let_in(partial, name.encode())
    except OSError as problem:
        if not tree.is_absence(problem):
            raise
        remover = Remover(partial, mount_id(partial))
        remover.remove(partial, name, is_folder=False)
        if remover.stuck:
            raise Refused(f"{shown(name)} in the partial cannot be removed", "look at what it is") from None
        os.mkdir(name, 0o700, dir_fd=partial)
        descriptor = tree.folder(partial, name.encode())
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def brief(partial: int, name: str) -> Iterator[int]:
    """The same, with nothing in it, and gone when the block is left, however that is: no seal takes it."""
    with placed(partial, name) as descriptor:
        _empty(partial, name, descriptor)
        try:
            yield descriptor
        finally:
            _empty(partial, name, descriptor)
            os.rmdir(name, dir_fd=partial)


def _empty(partial: int, name: str, descriptor: int) -> None:
    remover = Remover(descriptor, mount_id(partial))
    remover.empty()
    if remover.stuck:
        raise Refused(f"{shown(name)} in the partial cannot be emptied", "is something mounted in it?")
