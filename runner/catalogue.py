"""The table of kinds, written out by hand."""

from __future__ import annotations

from runner.kinds.late import Late
from runner.model.kind import (
    AuditOptions,
    CheckOptions,
    DrillOptions,
    JobKind,
    PruneOptions,
    SnapshotOptions,
)
from runner.model.options import (
    AccessOptions,
    DiskOptions,
    DumpOptions,
    HaltOptions,
    RebootOptions,
    UpdatesOptions,
    UpgradeOptions,
)

KINDS: dict[str, JobKind] = {
    "access": Late(name="access", place="access:AccessKind", options=AccessOptions),
    "audit": Late(name="audit", place="audit:AuditKind", options=AuditOptions),
    "check": Late(name="check", place="check:CheckKind", options=CheckOptions),
    "disk": Late(name="disk", place="disk:DiskKind", options=DiskOptions),
    "drill": Late(name="drill", place="drill:DrillKind", options=DrillOptions),
    "dump": Late(name="dump", place="dump:DumpKind", options=DumpOptions),
    "halt": Late(name="halt", place="halt:HaltKind", options=HaltOptions),
    "prune": Late(name="prune", place="prune:PruneKind", options=PruneOptions),
    "reboot": Late(name="reboot", place="reboot:RebootKind", options=RebootOptions),
    "snapshot": Late(name="snapshot", place="snapshot:SnapshotKind", options=SnapshotOptions),
    "updates": Late(name="updates", place="updates:UpdatesKind", options=UpdatesOptions),
    "upgrade": Late(name="upgrade", place="upgrade:UpgradeKind", options=UpgradeOptions),
}

# Kinds that only look: they are planned when everything else of the run is done.
LOOKING = frozenset({"check"})
