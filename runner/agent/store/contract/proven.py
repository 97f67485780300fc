"""The options of `proven`, and its answer; a proof as it is probed."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import DeclaredDisk, PathWord, SnapshotWord, Word


class Prove(NamedTuple):
    """Options of `proven`."""

    store: PathWord
    sort: Word
    name: SnapshotWord
    at: str
    disk: DeclaredDisk = DeclaredDisk()


class ProofKept(NamedTuple):
    """Answer of `proven`: `kept` where the proof that was there stays."""

    proven: str
    snapshot: str
    kept: bool


class ProofAnswer(NamedTuple):
    """The last drill of a sort that succeeded: of which snapshot, and when."""

    snapshot: str
    at: str
