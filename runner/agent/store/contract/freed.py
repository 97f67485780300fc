"""The options of `freed`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, DeclaredDisk, PathWord, SnapshotName, SnapshotsRest


class Freed(NamedTuple):
    """Options of `freed`."""

    store: PathWord
    names: SnapshotsRest
    exact: bool = False
    save: bool = False
    plan: str = ""
    disk: DeclaredDisk = DeclaredDisk()


class Gain(NamedTuple):
    """What is gained, in bytes and inodes, by everything up to and with snapshot `name`."""

    name: SnapshotName
    bytes: Count
    inodes: Count


class Gains(NamedTuple):
    """Answer of `freed`."""

    freed: tuple[Gain, ...]
