"""The options of `drop-partials`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import DeclaredDisk, PathWord, SnapshotsRest


class DropPartials(NamedTuple):
    """Options of `drop-partials`."""

    store: PathWord
    names: SnapshotsRest
    plan: str = ""
    disk: DeclaredDisk = DeclaredDisk()


class PartialsDropped(NamedTuple):
    """Answer of `drop-partials`: what went to the trash, and which interrupted snapshots are left."""

    dropped: tuple[str, ...]
    left: tuple[str, ...]
