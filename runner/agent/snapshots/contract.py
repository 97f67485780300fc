"""What the verbs of a snapshot are told, and what they answer."""

from __future__ import annotations

from typing import NamedTuple

from ..arguments import Rest, Word


class Begin(NamedTuple):
    """Options of `begin`: `points` are the mount points that are to be received."""

    store: Word
    name: Word
    points: Rest
    plan: str
    basis: str
    resume: tuple[str, ...] = ()
    mount: str = ""
    uuid: str = ""


class Begun(NamedTuple):
    """Answer of `begin`."""

    partial: str
    whole_seconds: bool


class Explain(NamedTuple):
    """Options of `explain`."""

    source: Word
    since: str
    exclude: tuple[str, ...] = ()


class Seal(NamedTuple):
    """Options of `seal`: `transfer` and `explained` are STEP=/MOUNTPOINT."""

    store: Word
    name: Word
    plan: str
    host: str
    job: str
    started: str
    checksum: str
    transfer: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    mount: str = ""
    uuid: str = ""


class Sealed(NamedTuple):
    """Answer of `seal`: `exceptions_new` are those that the snapshot before did not have."""

    sealed: str
    files: int
    added_files: int
    added_bytes: int
    exceptions: int
    exceptions_new: int
    unsummed: int
    vanished: int
    changed: int
    seconds: float


class Find(NamedTuple):
    """Options of `find`; the path is on stdin."""

    store: Word


class Diff(NamedTuple):
    """Options of `diff`; the path is on stdin."""

    store: Word
    older: Word
    newer: Word


class Reading(NamedTuple):
    """Options of `reading`: the snapshots that must stay meanwhile."""

    store: Word
    name: Word
    more: Rest = ()


class BeingRead(NamedTuple):
    """Answer of `reading`."""

    held: bool
    reading: str
