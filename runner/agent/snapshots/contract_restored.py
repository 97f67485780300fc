"""Options and answers of the verbs for restores: the folder in which they lie, and what keeps snapshots for them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional, Tuple  # noqa: UP035

from ..arguments import AbsolutePath, Count, FileNameWord, PathWord, SnapshotsRest, SnapshotWord

# What is received lies in it, below a folder of root's own that nobody else may enter: what comes may be anybody's, and
# no end that sends it says anything of the folder above.
TREE = "tree"
# Where what is no folder comes first: what receives it would else have to write to the folder that it goes to.
NEW = "new"


class MakeRestored(NamedTuple):
    """Options of `make-restored`: the folder of all that is restored, and the name of the new one in it."""

    folder: PathWord
    name: FileNameWord


class RestoredMade(NamedTuple):
    """Answer of `make-restored`: the closed folder; what is restored goes into `tree` in it."""

    folder: str


class MakePlace(NamedTuple):
    """Options of `make-place`: the folder that `path` is restored to, and the closed one for what that replaces.

    `whole`: `path` is a folder, which is made too, and all that may be written. `apart`: it is no folder, and is
    received in the closed one, in `new`.
    """

    folder: PathWord
    path: AbsolutePath
    aside: AbsolutePath
    whole: bool = False
    apart: bool = False


class PlaceMade(NamedTuple):
    """Answer of `make-place`: the folder that is restored to."""

    folder: str


class LookAtReceived(NamedTuple):
    """Options of `received`: the closed folder of a restore, and where else it has received something."""

    folder: PathWord
    place: Tuple[AbsolutePath, ...] = ()  # noqa: UP006


class StaysClosed(NamedTuple):
    """Answer of `received`: how many names belonged to no user but what received them."""

    closed: str
    taken: Count


class ListRestored(NamedTuple):
    """Options of `restored`."""

    folder: PathWord


class RestoredFolder(NamedTuple):
    """A folder that a restore has made, and when."""

    name: str
    at: datetime


class RestoredListing(NamedTuple):
    """Answer of `restored`: what restores have made there, oldest first."""

    made: tuple[RestoredFolder, ...]


class ClearRestored(NamedTuple):
    """Options of `clear-restored`: in which nothing may have changed for `quiet` seconds."""

    folder: PathWord
    name: FileNameWord
    quiet: Count


class RestoredCleared(NamedTuple):
    """Answer of `clear-restored`: whether it went, or when something in it last changed."""

    removed: bool
    changed: Optional[datetime] = None


class ReadSnapshots(NamedTuple):
    """Options of `reading`: the snapshots that must stay meanwhile."""

    store: PathWord
    name: SnapshotWord
    more: SnapshotsRest = ()


class BeingRead(NamedTuple):
    """Answer of `reading`."""

    held: bool
    reading: str
