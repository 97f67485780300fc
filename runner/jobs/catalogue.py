"""The table of kinds, written out by hand."""

from __future__ import annotations

from runner.jobs.late import Late
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
    "access": Late(name="access", place="access.access:AccessKind", options=AccessOptions),
    "audit": Late(name="audit", place="retention.audit:AuditKind", options=AuditOptions),
    "check": Late(name="check", place="snapshots.check:CheckKind", options=CheckOptions),
    "disk": Late(name="disk", place="disks.disk:DiskKind", options=DiskOptions),
    "drill": Late(name="drill", place="drill.drill:DrillKind", options=DrillOptions),
    "dump": Late(name="dump", place="database.dump:DumpKind", options=DumpOptions),
    "halt": Late(name="halt", place="power.halt:HaltKind", options=HaltOptions),
    "prune": Late(name="prune", place="retention.prune:PruneKind", options=PruneOptions),
    "reboot": Late(name="reboot", place="power.reboot:RebootKind", options=RebootOptions),
    "snapshot": Late(name="snapshot", place="snapshots.snapshot:SnapshotKind", options=SnapshotOptions),
    "updates": Late(name="updates", place="packages.updates:UpdatesKind", options=UpdatesOptions),
    "upgrade": Late(name="upgrade", place="packages.upgrade:UpgradeKind", options=UpgradeOptions),
}

# Kinds that only look: they are planned when everything else of the run is done.
LOOKING = frozenset({"check"})
