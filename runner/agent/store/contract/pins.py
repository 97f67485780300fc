"""The options of `pin` and `unpin`, and their answers."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import DeclaredDisk, PathWord, SnapshotWord, Spoken


class Pin(NamedTuple):
    """Options of `pin`."""

    store: PathWord
    name: SnapshotWord
    plan: str
    until: str
    why: Spoken
    disk: DeclaredDisk = DeclaredDisk()


class Pinned(NamedTuple):
    """Answer of `pin`."""

    pinned: str
    until: str
    why: str


class Unpin(NamedTuple):
    """Options of `unpin`."""

    store: PathWord
    name: SnapshotWord
    plan: str
    disk: DeclaredDisk = DeclaredDisk()


class Unpinned(NamedTuple):
    """Answer of `unpin`."""

    unpinned: str
