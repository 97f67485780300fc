"""The table of kinds, written out by hand."""

from __future__ import annotations

from runner.kinds.access import AccessKind
from runner.kinds.audit import AuditKind
from runner.kinds.check import CheckKind
from runner.kinds.disk import DiskKind
from runner.kinds.drill import DrillKind
from runner.kinds.dump import DumpKind
from runner.kinds.halt import HaltKind
from runner.kinds.prune import PruneKind
from runner.kinds.reboot import RebootKind
from runner.kinds.snapshot import SnapshotKind
from runner.kinds.updates import UpdatesKind
from runner.kinds.upgrade import UpgradeKind
from runner.model.kind import JobKind

KINDS: dict[str, JobKind] = {
    "access": AccessKind(),
    "audit": AuditKind(),
    "check": CheckKind(),
    "disk": DiskKind(),
    "drill": DrillKind(),
    "dump": DumpKind(),
    "halt": HaltKind(),
    "prune": PruneKind(),
    "reboot": RebootKind(),
    "snapshot": SnapshotKind(),
    "updates": UpdatesKind(),
    "upgrade": UpgradeKind(),
}

# Kinds that only look: they are planned when everything else of the run is done.
LOOKING = frozenset({"check"})
