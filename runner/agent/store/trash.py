"""Moving what is not wanted any more to the trash; `reap` removes it from there."""

from __future__ import annotations

import os
from pathlib import Path

from .. import tree
from .layout import Store


def free_name(store: Store, name: str) -> Path:
    """A place in the trash that is free, called `name` if that is."""
    count = 0
    while os.path.lexists(store.trash / (f"{name}.{count}" if count else name)):
        count += 1
    return store.trash / (f"{name}.{count}" if count else name)


def open_trash(store: Store) -> int:
    """A descriptor of the trash; raises OSError, also where it is a symbolic link."""
    return os.open(store.trash, tree.FOLDER)


def move(store: Store, path: Path, trash: int) -> None:
    """Rename `path` into the open folder `trash`, under its own name if that is free."""
    os.rename(path, free_name(store, path.name).name, dst_dir_fd=trash)  # noqa: PTH104
