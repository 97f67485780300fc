"""Where a store keeps what the copied host was: one folder a snapshot, its files shared while nothing changes."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import durable, regular
from ..answer import Refused
from .layout import StoreFolder, require_json, sealed

FACTS = "about.json"
MOST = 4 << 20
FILE = re.compile(r"[a-z][A-Za-z0-9_-]{0,60}\.(?:txt|json|sfdisk)")


def home(store: StoreFolder) -> Path:
    """The folder of all of them."""
    return store.runner / "about"


def place(store: StoreFolder, name: str) -> Path:
    """What the host of snapshot `name` was; need not be there."""
    return home(store) / name


def newest(store: StoreFolder) -> Path | None:
    """That of the newest sealed snapshot that has one."""
    there = (place(store, name) for name in reversed(sealed(store)))
    return next((path for path in there if path.is_dir()), None)


def facts(folder: Path) -> Mapping[str, Any]:
    """The facts kept in `folder`, empty where there are none. Refused where they cannot be understood."""
    known = require_json(folder / FACTS)
    if not isinstance(known.get("dumps", []), list):
        raise Refused(f"{folder / FACTS} cannot be understood: `dumps` is not a list", "correct it, or remove it")
    return known


def keep(store: StoreFolder, name: str, files: Mapping[str, bytes]) -> int:
    """Put `files` into the folder of sealed snapshot `name`, whole or not at all; how many are new on the disk.

    A file that is as it was for the snapshot before is that file. Raises OSError.
    """
    counted = sealed(store)
    before = place(store, counted[counted.index(name) - 1]) if counted.index(name) else None
    durable.make_folder(home(store), 0o700)
    draft = home(store) / f"{name}.tmp"
    _remove(draft)
    draft.mkdir(mode=0o700)
    fresh = 0
    for each, content in sorted(files.items()):
        old = before / each if before else None
        if old and _same(old, content):
            os.link(old, draft / each, follow_symlinks=False)
        else:
            durable.write_file(draft / each, content, 0o600)
            fresh += 1
    durable.sync_folder(draft)
    draft.rename(place(store, name))
    durable.sync_folder(home(store))
    return fresh


def tidy(store: StoreFolder) -> None:
    """Remove what belongs to no sealed snapshot: drafts, and folders whose snapshot was taken away by hand."""
    counted = sealed(store)
    with contextlib.suppress(FileNotFoundError):
        for path in home(store).iterdir():
            if path.name not in counted and path.is_dir() and not path.is_symlink():
                _remove(path)


def _remove(folder: Path) -> None:
    if os.path.lexists(folder):
        import shutil  # noqa: PLC0415  (slow to load: all compressions come along)

        shutil.rmtree(folder, ignore_errors=True)


def _same(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and regular.content(path) == content
    except OSError:
        return False
