"""The options of `begin`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import (
    AbsolutePath,
    DeclaredDisk,
    PathsRest,
    PathWord,
    PlanText,
    SnapshotName,
    SnapshotNameOrNone,
    SnapshotWord,
    Spoken,
    Uuid,
)


class Begin(NamedTuple):
    """Options of `begin`: `points` are the mount points that are received, `share` what they share files with.

    Those in `whole` are sent whole. `instant` is the scheduled time that `job` is run for, "" for none.
    """

    store: PathWord
    name: SnapshotWord
    points: PathsRest
    plan: PlanText
    basis: SnapshotNameOrNone
    resume: tuple[SnapshotName, ...] = ()
    disk: DeclaredDisk = DeclaredDisk()
    share: tuple[str, ...] = ()
    job: Spoken = ""
    instant: Spoken = ""
    whole: tuple[AbsolutePath, ...] = ()


class Begun(NamedTuple):
    """Answer of `begin`; `uuid` is that of the declared disk, "" for none."""

    partial: str
    whole_seconds: bool
    uuid: Uuid = ""
