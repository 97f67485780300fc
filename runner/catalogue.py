"""The table of kinds, written out by hand."""

from __future__ import annotations

from runner.kinds.audit import AuditKind
from runner.kinds.check import CheckKind
from runner.kinds.disk import DiskKind
from runner.kinds.prune import PruneKind
from runner.kinds.snapshot import SnapshotKind
from runner.model.kind import JobKind

KINDS: dict[str, JobKind] = {
    "audit": AuditKind(),
    "check": CheckKind(),
    "disk": DiskKind(),
    "prune": PruneKind(),
    "snapshot": SnapshotKind(),
}

# Kinds that only look: they are planned when everything else of the run is done.
LOOKING = frozenset({"check"})
