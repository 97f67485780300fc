"""What restores leave: `make-restored` makes and marks a folder, `restored` lists them, `clear-restored` clears one.

`make-place` makes the folder that a person named instead, where nobody leads the restore to another.

Only a folder that is marked is ever cleared. The mark is a file in `.made` beside it, which knows it by its inode: what
was put in its place, or copied here from elsewhere, is nobody's to remove.
"""

from __future__ import annotations

import contextlib
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
from ..confined import receiver
from ..host.mounts import mounts
from ..store import owned
from ..store.layout import read_json
from ..store.trash import empty
from .contract_restored import (
    NEW,
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
# As the kernel follows: path_resolution(7).
_LINKS = 40


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

    And what is missing in FOLDER on the way of PATH, as root's: what receives is to make nothing above it.
    Refused where others could lead what is written to another place: on the way to FOLDER, or now by a link on the way
    of PATH in it.
    """
    options = parse_as(MakePlace, argv)
    for folder in map(Path, (options.folder, options.aside)):
        _require_way(folder)
        durable.make_folders(folder.parent, PASSED)
        durable.make_folder(folder)
    for name in (TREE, NEW) if options.apart else (TREE,):
        durable.make_folder(Path(options.aside) / name)
    _make_way(Path(options.folder).resolve(), tree.components(options.path), whole=options.whole)
    reply(PlaceMade(options.folder))
    return 0


def _make_way(top: Path, parts: Sequence[bytes], *, whole: bool) -> None:
    """Make the folders on the way to the last of `parts` below `top`, and with `whole` that one, for its owner only.

    By open folders: whoever owns one of them may put something else there at any moment. Refused where a link of
    somebody else is on the way, or what is no folder; one of ours ends it.
    """
    here, path, before = os.open(top, tree.FOLDER), top, os.umask(0o022)
    try:
        for number, name in enumerate(parts if whole else parts[:-1], 1):
            path /= os.fsdecode(name)
            with contextlib.suppress(FileExistsError):
                # With its mode at once: who owns the folder may put something else there at any moment.
                os.mkdir(name, 0o700 if number == len(parts) else 0o755, dir_fd=here)
            status = tree.status(here, name)
            if stat.S_ISLNK(status.st_mode):
                if status.st_uid not in trust.TRUSTED:
                    leads = f"{str(path)!a} is a link of user {status.st_uid}, and leads elsewhere"
                    raise Refused(leads, "see what it is, or restore to a folder of its own: without --to")
                if whole:
                    raise Refused(f"{str(path)!a} is a link", "restore to where it leads, or without --to")
                return
            if not stat.S_ISDIR(status.st_mode):
                raise Refused(f"{str(path)!a} is no folder", "move it away, or restore without --to")
            deeper = tree.folder(here, name)
            os.close(here)
            here = deeper
    finally:
        os.umask(before)
        os.close(here)


def received(argv: Sequence[str]) -> int:
    """Refused unless FOLDER, in which something was received, is still closed: nobody else can have used what came.

    What of it, and in each `--place`, still belongs to what received it becomes root's: it was cut off.
    """
    options = parse_as(LookAtReceived, argv)
    owned.require_closed(Path(options.folder))
    taken = sum(_take(Path(place)) for place in (options.folder, *options.place))
    reply(StaysClosed(options.folder, taken))
    return 0


def _take(place: Path) -> int:
    """Give to root what belongs to one of those that receive, without what it might do as another; how many names."""
    if os.geteuid() != 0:
        return 0
    name = os.fsencode(place.name)
    with contextlib.ExitStack() as opened:
        try:
            parent = _parent(place)
            opened.callback(os.close, parent)
            status = tree.status(parent, name)
        except FileNotFoundError:
            return 0
        count = int(_owned_by_nobody(parent, name))
        if stat.S_ISDIR(status.st_mode):
            top = tree.folder(parent, name)
            opened.callback(os.close, top)
            count += sum(_owned_by_nobody(folder, entry.name) for folder, _, entry in tree.names(top))
    return count


def _parent(place: Path) -> int:
    """A descriptor of the folder that it is in, where no links but ours lead; raises OSError."""
    here, left, links = os.open("/", tree.FOLDER), os.fsencode(place.parent).split(b"/"), 0
    try:
        while left:
            name = left.pop(0) or b"."
            held = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            try:
                status = os.fstat(held)
                if stat.S_ISLNK(status.st_mode) and status.st_uid in trust.TRUSTED and links < _LINKS:
                    # The link that was looked at, whatever has its name now.
                    leads, links = os.readlink(b"", dir_fd=held), links + 1
                    left = [*leads.split(b"/"), *left]
                    deeper = os.open("/", tree.FOLDER) if leads.startswith(b"/") else os.dup(here)
                else:
                    deeper = tree.folder(here, name)
            finally:
                os.close(held)
            os.close(here)
            here = deeper
    except BaseException:
        os.close(here)
        raise
    return here


def _owned_by_nobody(parent: int, name: bytes) -> bool:
    status = tree.status(parent, name)
    if not receiver.receives(status.st_uid):
        return False
    # chown(2): that takes set-user-ID and set-group-ID away, whoever calls it.
    os.chown(name, 0, 0 if receiver.receives(status.st_gid) else -1, dir_fd=parent, follow_symlinks=False)
    return True


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
        for _, _, entry in tree.names(root):
            latest = max(latest, entry.status.st_ctime_ns)
        return latest
    finally:
        os.close(root)
