"""What restores leave: `make-restored` makes and marks a folder, `restored` lists them, `clear-restored` clears one.

`make-place` makes the folder that a person named instead, where nobody leads the restore to another.

Only a folder that is marked is ever cleared. The mark is a file in `.made` beside it, which knows it by its inode: what
was put in its place, or copied here from elsewhere, is nobody's to remove.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Optional

from .. import clock, durable, tree, trust
from ..answer import Refused, reply
from ..arguments import PLAN, parse_as
from ..host.mounts import mounts
from ..store import owned
from ..store.layout import read_json
from ..store.trash import empty
from .contract_restored import (
    TREE,
    ClearRestored,
    ListRestored,
    LookAtReceived,
    MakePlace,
    MakeRestored,
    PlaceMade,
    RestoredCleared,
    RestoredFolder,
    RestoredListing,
    RestoredMade,
    StaysClosed,
)

PASSED = 0o711
MADE = ".made"


def make(argv: Sequence[str]) -> int:
    """Make FOLDER/NAME, for its owner only, and `tree` in it, where what is restored goes.

    NAME is the restore's plan. What is missing above FOLDER others may pass through. Refused where others may write to
    FOLDER. What earlier restores have made there is closed.
    """
    options = parse_as(MakeRestored, argv)
    folder = Path(options.folder).resolve()
    if not PLAN.fullmatch(options.name):
        raise Refused(f"{options.name!a} is no plan", "see docs/store.md")
    durable.make_folders(folder.parent, PASSED)
    durable.make_folder(folder)
    owned.close(folder, only=PASSED)
    owned.require_folder(folder, f"name a folder that only {owned.WHOSE} may write")
    durable.make_folder(folder / MADE)
    owned.require_folder(folder / MADE, "see who made it, and move it away")
    for mark in (folder / MADE).glob("*.json"):
        # A person may remove a folder, and so does whoever only brings a dump.
        if not os.path.lexists(folder / mark.stem):
            mark.unlink()
        elif _made(folder, mark.stem):
            owned.close(folder / mark.stem)
    path = folder / options.name
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        raise Refused(f"{str(path)!a} is there already", "make a new plan") from None
    (path / TREE).mkdir(mode=0o700)
    durable.write_json(_mark(folder, options.name), {"inode": path.lstat().st_ino, "at": clock.now()})
    durable.sync_folder(folder)
    reply(RestoredMade(str(Path(options.folder) / options.name)))
    return 0


def make_place(argv: Sequence[str]) -> int:
    """Make FOLDER, and that for what is replaced with `tree` in it, for their owner only, and what is missing above.

    Refused where others could lead what is written to another place: on the way to FOLDER, or now by a link on the way
    of PATH in it.
    """
    options = parse_as(MakePlace, argv)
    for folder in map(Path, (options.folder, options.aside)):
        _require_way(folder)
        durable.make_folders(folder.parent, PASSED)
        durable.make_folder(folder)
    durable.make_folder(Path(options.aside) / TREE)
    here = Path(options.folder).resolve()
    for name in Path(options.path).parts[1:-1]:
        here /= name
        if here.is_symlink() and here.lstat().st_uid not in trust.TRUSTED:
            leads = f"{str(here)!a} is a link of user {here.lstat().st_uid}, and leads elsewhere"
            raise Refused(leads, "see what it is, or restore to a folder of its own: without --to")
    reply(PlaceMade(options.folder))
    return 0


def received(argv: Sequence[str]) -> int:
    """Refused unless FOLDER, in which something was received, is still closed: nobody else can have used what came."""
    folder = parse_as(LookAtReceived, argv).folder
    owned.require_closed(Path(folder))
    reply(StaysClosed(folder))
    return 0


def _require_way(folder: Path) -> None:
    """Refused where others may put something else, such as a link, in the place of the folder."""
    real = os.path.realpath(folder)
    for place in trust.exposures(str(folder)):
        # Theirs it may be: what they do in it leads nowhere else. In one like /tmp they replace nothing of ours.
        if place.path == real and not folder.is_symlink():
            continue
        if not trust.is_shared(os.lstat(place.path)):
            error = f"others may change where {str(folder)!a} is: {place.path}: {place.who}"
            raise Refused(error, f"restore to {place.path!a}, or to a folder of its own: without --to")


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


def _made(folder: Path, name: str) -> Optional[datetime]:  # noqa: UP045
    """When a restore has made the folder of that name; None where it has not, or where it is gone."""
    if not PLAN.fullmatch(name):
        return None
    try:
        status = (folder / name).lstat()
    except FileNotFoundError:
        return None
    mark = read_json(_mark(folder, name))
    own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and mark.get("inode") == status.st_ino
    return clock.moment(mark.get("at")) if own else None


def clear(argv: Sequence[str]) -> int:
    """Remove FOLDER/NAME, unless something in it has changed within `--quiet` seconds: then somebody needs it.

    Refused where no restore has made it, where anything is mounted in it, and where not all of it can be looked at.
    """
    options = parse_as(ClearRestored, argv)
    folder = Path(options.folder).resolve()
    path = folder / options.name
    if not _made(folder, options.name):
        raise Refused(f"{str(path)!a} is not what a restore has made", "remove it by hand, if nobody needs it")
    if any(mount.point == str(path) or mount.point.startswith(f"{path}/") for mount in mounts()):
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
    """When anything in the folder, it included, was last changed in any way; raises OSError where that is not seen."""
    root = os.open(path, tree.FOLDER)
    try:
        latest = os.fstat(root).st_ctime_ns
        for folder in tree.folders(root):
            latest = max((latest, *(entry.status.st_ctime_ns for entry in folder.entries)))
        return latest
    finally:
        os.close(root)
