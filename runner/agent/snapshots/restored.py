"""What restores leave: `make-restored` makes and marks a folder, `restored` lists them, `clear-restored` clears one.

Only a folder that is marked is ever cleared. The mark is a file in `.made` beside it, which knows it by its inode: what
was put in its place, or copied here from elsewhere, is nobody's to remove.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import clock, durable
from ..answer import Refused, reply
from ..arguments import parse_as
from ..host.mounts import mounts
from ..store.layout import read_json
from ..store.trash import empty
from .contract_restored import (
    ClearRestored,
    ListRestored,
    MakeRestored,
    RestoredCleared,
    RestoredFolder,
    RestoredListing,
    RestoredMade,
)

# A restore's own folder is called as its plan.
PLAN = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z")
PASSED = 0o711
MADE = ".made"


def make(argv: Sequence[str]) -> int:
    """Make FOLDER/NAME, for its owner only, and what is missing above it, which others may pass through."""
    options = parse_as(MakeRestored, argv)
    folder = Path(options.folder)
    if not PLAN.fullmatch(options.name):
        raise Refused(f"{options.name!a} is no plan", "see docs/store.md")
    for path in (*reversed(folder.parents), folder):
        durable.make_folder(path, PASSED)
    durable.make_folder(folder / MADE)
    for mark in (folder / MADE).glob("*.json"):
        # A person may remove a folder, and so does whoever only brings a dump.
        if not os.path.lexists(folder / mark.name[: -len(".json")]):
            mark.unlink()
    path = folder / options.name
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        raise Refused(f"{str(path)!a} is there already", "make a new plan") from None
    durable.write_json(_mark(folder, options.name), {"inode": path.lstat().st_ino, "at": clock.now()})
    durable.sync_folder(folder)
    reply(RestoredMade(str(path)))
    return 0


def run(argv: Sequence[str]) -> int:
    """Print what `read` gives."""
    reply(read(argv))
    return 0


def read(argv: Sequence[str]) -> RestoredListing:
    """What restores have made in FOLDER, and nothing else that is there. Changes nothing."""
    folder = Path(parse_as(ListRestored, argv).folder)
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        names = []
    return RestoredListing(tuple(RestoredFolder(name, at) for name in names if (at := _made(folder, name))))


def _mark(folder: Path, name: str) -> Path:
    return folder / MADE / f"{name}.json"


def _made(folder: Path, name: str) -> Any:  # noqa: ANN401
    """When a restore has made the folder of that name; None where it has not."""
    mark: Mapping[str, Any] = read_json(_mark(folder, name)) if PLAN.fullmatch(name) else {}
    status = (folder / name).lstat()
    own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and mark.get("inode") == status.st_ino
    return clock.moment(mark.get("at")) if own else None


def clear(argv: Sequence[str]) -> int:
    """Remove FOLDER/NAME, unless something in it has changed within `--quiet` seconds: then somebody needs it.

    Refused where no restore has made it, and where anything is mounted in it.
    """
    options = parse_as(ClearRestored, argv)
    folder = Path(options.folder)
    path = folder / options.name
    if not os.path.lexists(path) or not _made(folder, options.name):
        raise Refused(f"{str(path)!a} is not what a restore has made", "remove it by hand, if nobody needs it")
    real = str(path.resolve())
    if any(mount.point == real or mount.point.startswith(f"{real}/") for mount in mounts()):
        raise Refused(f"something is mounted in {str(path)!a}", "unmount it")
    changed = _changed(path)
    if changed > time.time_ns() - options.quiet * 10**9:
        reply(RestoredCleared(removed=False, changed=clock.at(changed)))
        return 0
    _, stuck = empty(folder, path)
    if stuck:
        raise Refused(f"{stuck} names in {str(path)!a} could not be removed", "look at that folder")
    path.rmdir()
    _mark(folder, options.name).unlink()
    reply(RestoredCleared(removed=True))
    return 0


def _changed(path: Path) -> int:
    """When anything in the folder, it included, was last changed in any way."""
    latest = path.lstat().st_ctime_ns
    for top, folders, files in os.walk(path):
        for name in (*folders, *files):
            latest = max(latest, os.lstat(os.path.join(top, name)).st_ctime_ns)  # noqa: PTH118  (many)
    return latest
