"""What was interrupted goes on: what was sent as what is sent to the new snapshot, what was cloned as its clone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import durable
from ..host.mounts import mount_of, mounts
from ..host.processes import boot_id
from ..store import received
from ..store.layout import StoreFolder, partials, read_json
from ..store.trash import free_name

# Beside the folders of the filesystems, which are numbers.
PARTS = "parts"


class NewSnapshot(NamedTuple):
    """A snapshot that is begun: its mount points in their order, and those of them that are sent whole."""

    store: StoreFolder
    name: str
    points: Sequence[str]
    whole: Sequence[str]

    @property
    def partial(self) -> Path:
        """Where it is composed."""
        return self.store.partial / self.name

    @property
    def incoming(self) -> Path:
        """Where it is received."""
        return self.store.incoming / self.name

    @property
    def parts(self) -> Path:
        """Where rsync keeps the halves of big files if it is confined: there it may rename from nowhere else."""
        return self.incoming / PARTS


def make(new: NewSnapshot, resumed: Sequence[str]) -> None:
    """Make a folder for each filesystem of the snapshot, and take up what the interrupted ones have of it.

    Of several the newest is taken. What is of no use goes to the trash with the rest of them. Cut off anywhere it can
    be repeated for another snapshot, which takes up this one too.
    """
    store = new.store
    for place in (store.partial, store.parts, store.incoming, new.partial, new.incoming):
        durable.make_folder(place, 0o700)
    for other in sorted(resumed, reverse=True):
        _take_up(new, other)
    durable.make_folder(new.parts, 0o700)
    for number in range(len(new.points)):
        for place in (new.partial, new.incoming):
            durable.make_folder(place / str(number), 0o700)
    for place in (new.partial, new.incoming, store.partial, store.incoming, store.root):
        durable.sync_folder(place)


def tidy(store: StoreFolder) -> None:
    """Move to the trash what was sent to a snapshot of which nothing else is left."""
    there = partials(store)
    for path in sorted(store.incoming.iterdir()) if store.incoming.is_dir() else ():
        if path.name not in there:
            throw_away(store, path)


def _take_up(new: NewSnapshot, other: str) -> None:
    store = new.store
    received.part(store, other)
    begun, torn = read_json(store.begun(other)), _is_torn(store, other)
    places = received.places(store, other) if received.is_apart(store, other) else {}
    for point, place in places.items():
        if point not in new.points:
            continue
        number = str(new.points.index(point))
        sent, cloned = store.incoming / other / place.name, place if _is_folder(place) else None
        if _was_received(begun, point):
            # It was all that there is of it, and had been moved to its place already. No clone begins as that.
            if not os.path.lexists(sent) and received.is_alone(place):
                sent = place
            cloned = None
        if _is_folder(sent) and not torn:
            _move(sent, new.incoming / number)
        if cloned and _is_folder(cloned) and point not in new.whole:
            _move(cloned, new.partial / number)
    halves = store.incoming / other / PARTS
    if _is_folder(halves) and not torn:
        _move(halves, new.parts)
    for path in (store.incoming / other, store.partial / other):
        if os.path.lexists(path):
            throw_away(store, path)
    store.begun(other).unlink(missing_ok=True)


def _was_received(begun: Mapping[str, Any], point: str) -> bool:
    """Whether what is composed of that filesystem is what was received, and nothing else: `compose` says it.

    What was asked for when it was begun does not, nor what is missing where it is received: whoever receives there
    could have removed that. An older agent received in the place where it composed.
    """
    if begun.get("format") == received.BESIDE:
        return point in begun.get("moved", ())
    return not begun.get("share") and not begun.get("resumed") and not begun.get("basis")


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_torn(store: StoreFolder, other: str) -> bool:
    """Whether a power cut may have left files with their size and time, but not their content.

    rsync would take such a file for the source's. Only where the disk writes names before data, or in any order.
    """
    mount = mount_of(store.root, mounts())
    if mount is None or not (mount.type == "ext2" or "data=writeback" in mount.options):
        return False
    return bool(read_json(store.begun(other)).get("boot") != boot_id())


def _move(place: Path, to: Path) -> None:
    if not os.path.lexists(to):
        place.rename(to)


def throw_away(store: StoreFolder, path: Path) -> None:
    """Move it to the trash."""
    durable.make_folder(store.trash, 0o700)
    path.rename(free_name(store, path.name))
