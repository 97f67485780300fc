"""Whether only root, or the user that runs this, decides what is at a store's place: it, `.runner`, the way to both."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .. import tree, trust
from ..answer import Refused
from . import closed, inventory
from .layout import open_store

WHOSE = "root" if trust.US == 0 else "this user"


def require(path: str) -> None:
    """Refused where another user may change what is written to the store at `path`, as declared."""
    error, do = trouble(path)
    if error:
        raise Refused(error, do)


def require_folder(folder: Path, do: str) -> None:
    """Refused unless it is a folder, no link to one, and only root or this user makes names in it or on the way to it.

    `do`: what helps where no command does.
    """
    mode = folder.lstat().st_mode
    if not stat.S_ISDIR(mode):
        raise Refused(f"{folder} is {'a link' if stat.S_ISLNK(mode) else 'no folder'}", do)
    for place in trust.exposures(str(folder), whole=True):
        on_the_way = f"{place.path}: " if place.path != str(folder) else ""
        raise Refused(f"others may change {folder}: {on_the_way}{place.who}", place.command or do)


def require_closed(folder: Path) -> None:
    """Refused unless it is a folder of root's own (this user's) that nobody else may enter."""
    status = folder.lstat()
    if stat.S_ISDIR(status.st_mode) and status.st_uid == trust.US and not status.st_mode & 0o077:
        return
    raise Refused(
        f"others may enter {str(folder)!a}, which was closed before anything came into it: mode "
        f"{stat.S_IMODE(status.st_mode):04o}, user {status.st_uid}",
        f"close it (chown {WHOSE if trust.US == 0 else trust.US} and chmod 700), and see who used what is in it",
    )


def close(folder: Path, *, only: int = 0) -> None:
    """Let nobody else enter a folder of root's own (this user's): `only` where it has just that mode.

    An earlier version received into folders that others could pass through, and what came may have opened them.
    """
    descriptor = os.open(folder, tree.FOLDER)
    try:
        status = os.fstat(descriptor)
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid == trust.US and mode & 0o077 and only in (0, mode):
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def trouble(path: str) -> tuple[str, str]:
    """What lets others change what is at `path`, and what to do; both "" where nothing does. Reads only.

    A store that we made and left open is none: it is closed before it is used.
    """
    return next(_troubles(path), ("", ""))


def _troubles(path: str) -> Iterator[tuple[str, str]]:
    try:
        # Whoever made a link chose where it leads, also where he may not change it any more.
        yield from map(_link, filter(_is_foreign_link, (Path(path), *Path(path).parents)))
        places, store = trust.exposures(path), open_store(path)
        stays = not _is_ours(store.runner) or bool(closed.foreign(store))
        for place in places:
            if place.path != str(store.root) or stays:
                do = place.command or f"move the store to a folder that only {WHOSE} may write"
                yield f"others may change what is written to the store: {place.path}: {place.who}", do
        known = (store.runner, store.records, inventory.home(store), store.partial, store.parts, store.aside)
        for inner in known:
            if os.path.lexists(inner) and not _is_ours(inner):
                yield f"{inner} is not a folder of {_own()}", "see who made it and what it is, and move it away"
    except (OSError, RuntimeError) as problem:
        yield f"who may change {path} cannot be seen: {problem}", "look at that folder and at those above it"


def _is_ours(path: Path) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid in trust.TRUSTED


def _is_foreign_link(path: Path) -> bool:
    return path.is_symlink() and path.lstat().st_uid not in trust.TRUSTED


def _link(path: Path) -> tuple[str, str]:
    place = trust.exposure(str(path), path.lstat())
    return f"{path} leads to the store and is a link of another user: {place.who}", f"remove that link ({path})"


def _own() -> str:
    return "root's own" if trust.US == 0 else "this user's own"
