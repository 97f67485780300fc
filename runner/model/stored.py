"""What a store says of the filesystems in its snapshots, and of its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
class Rates:
    """How many snapshots may be sealed, and expire, now: the policy of the store's host says so of our key."""

    seals: Count
    expiries: Count


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenHead:
    """The head of a store's chain that a step answered at `at`; what is later in the journal has a higher `place`."""

    head: ChainHead
    at: datetime
    place: int


class HistoryDoubt(StrEnum):
    """Why a history is not taken as known: it is another one, it is elsewhere, or it has a line that we never write."""

    ANOTHER = "another"
    ELSEWHERE = "elsewhere"
    ODD = "odd"


class HeadTaken(StrEnum):
    """Why a head counts as known: it was the first, it follows from the one before, or a person said so."""

    FIRST = "first"
    FOLLOWED = "followed"
    ACCEPTED = "accepted"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredPlace:
    """Where jobs.toml says that a store is: with anything else here it is another store."""

    host: str
    path: str
    uuid: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownHistory:
    """The last head of a store that is known to follow from the one before; "" where there is none yet.

    With that line `alive` counted and `aside` lay aside. `path` and `uuid` are what the store said of itself, `place`
    the last step of the journal that was looked at, `run` the one that took the head. `doubt` stands since `doubted`,
    until a person says that he knows.
    """

    store: str
    declared: DeclaredPlace
    head: ChainHead
    at: datetime
    taken: HeadTaken = HeadTaken.FIRST
    run: str = ""
    place: int = 0
    path: str = ""
    uuid: str = ""
    alive: tuple[SnapshotName, ...] = ()
    aside: tuple[SnapshotName, ...] = ()
    doubt: HistoryDoubt | None = None
    doubted: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptedHead:
    """That `who` took `head` of a store as known at `at`, in place of `before`."""

    store: str
    head: ChainHead
    before: ChainHead
    at: datetime
    who: str
