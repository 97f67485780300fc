"""The table of kinds, written out by hand."""

from __future__ import annotations

from runner.kinds.snapshot import SnapshotKind
from runner.model.kind import JobKind

KINDS: dict[str, JobKind] = {"snapshot": SnapshotKind()}
