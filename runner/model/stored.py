"""What a store says of the filesystems in its snapshots, and of its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runner.model.names import AbsolutePath, ChainHead, Count, SnapshotName


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """What a filesystem had when it was copied: how many files, how many bytes."""

    mount: AbsolutePath
    files: Count
    size: Count


@dataclass(frozen=True, kw_only=True, slots=True)
class DamagedFilesystem:
    """How many names of a host's filesystem an audit found damaged, which a snapshot that is named after `until` knew.

    What is made of one of that name, or of an earlier one, may have them from it.
    """

    host: str
    mount: AbsolutePath
    until: SnapshotName
    names: Count


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenHead:
    """The head of a store's chain that a step answered at `at`; what is later in the journal has a higher `place`."""

    head: ChainHead
    at: datetime
    place: int
