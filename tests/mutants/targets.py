"""Which modules are made wrong, and the tests of their room, the quick ones first."""

from __future__ import annotations

LOCK = (
    "tests/contract/snapshots/test_lock.py tests/contract/packages/test_hold_host.py "
    "tests/contract/drill/test_drill_proven.py tests/contract/power/test_power_tools.py "
    "tests/contract/retention/test_expire.py"
)
EXPIRE = "tests/contract/retention/test_expire.py tests/contract/retention/test_pin.py"
QUICK = "tests/contract/retention/test_quick_snapshots.py"
FLOOR = "tests/contract/retention/test_floor.py"
DISK = "tests/contract/disks/test_disks.py"
HOLES = "tests/contract/retention/test_holes.py"
SEAL = " ".join(
    f"tests/contract/snapshots/test_{name}.py"
    for name in ("kept", "snapshots", "instants", "joined", "counted", "damaged", "lock", "inner_mounts")
)
CUTS = (
    "tests/contract/snapshots/test_interrupted.py tests/contract/store/test_power_cuts.py "
    "tests/contract/snapshots/test_cuts.py"
)
PACKAGES = "tests/unit/packages"
RETENTION = "tests/unit/retention tests/unit/snapshots tests/unit/planning"
PLANNING = "tests/unit/planning tests/unit/retention tests/unit/snapshots tests/unit/power"

TARGETS: dict[str, str] = {
    "runner/agent/arguments.py": (
        "tests/unit/tools/test_arguments.py tests/unit/tools tests/contract/snapshots/test_damaged.py"
    ),
    "runner/agent/durable.py": "tests/contract/store/test_durable.py",
    "runner/agent/store/lock.py": LOCK,
    "runner/agent/store/layout.py": (
        f"{SEAL} {EXPIRE} tests/contract/retention/test_freed.py tests/contract/retention/test_audit.py"
    ),
    "runner/agent/store/trash.py": f"tests/contract/retention/test_reap.py {EXPIRE} {DISK}",
    "runner/agent/store/pins.py": f"tests/contract/retention/test_pin.py {DISK} tests/contract/snapshots/test_damaged.py",
    "runner/agent/store/proven.py": f"tests/contract/drill/test_drill_proven.py {DISK}",
    "runner/agent/store/received.py": f"tests/contract/snapshots/test_joined.py {SEAL} tests/contract/snapshots/test_cuts.py",
    "runner/agent/store/closed.py": f"tests/contract/snapshots/test_closed.py {DISK}",
    "runner/agent/store/inspect.py": (
        "tests/contract/snapshots/test_damaged.py tests/contract/snapshots/test_readings.py "
        f"tests/contract/snapshots/test_closed.py {DISK} {EXPIRE}"
    ),
    "runner/agent/retention/expire.py": (
        f"tests/contract/retention/test_expire.py {DISK} tests/contract/retention/test_pin.py "
        "tests/contract/drill/test_drill_proven.py tests/contract/inventory/test_inventory.py "
        f"{FLOOR} {QUICK}"
    ),
    "runner/agent/retention/floor.py": f"{FLOOR} tests/contract/retention/test_expire.py {DISK} {QUICK}",
    "runner/agent/snapshots/begin.py": f"{SEAL} {DISK} {CUTS}",
    "runner/agent/snapshots/gather.py": f"{SEAL} {HOLES} {DISK}",
    "runner/agent/snapshots/instant.py": "tests/contract/snapshots/test_instants.py",
    "runner/agent/snapshots/resume.py": f"tests/contract/snapshots/test_resumed.py tests/contract/snapshots/test_snapshots.py {SEAL} {CUTS}",
    "runner/agent/snapshots/seal.py": f"{SEAL} {DISK} {HOLES} {CUTS}",
    "runner/agent/snapshots/walk.py": (
        "tests/contract/snapshots/test_counted.py tests/contract/snapshots/test_inner_mounts.py "
        "tests/contract/snapshots/test_snapshots.py"
    ),
    "runner/config/quantity.py": "tests/unit/config",
    "runner/jobs/packages/choice.py": PACKAGES,
    "runner/jobs/packages/debian/held.py": PACKAGES,
    "runner/jobs/packages/debian/version.py": PACKAGES,
    "runner/jobs/packages/redhat/held.py": PACKAGES,
    "runner/jobs/power/check_forecast.py": "tests/unit/power",
    "runner/jobs/power/window.py": "tests/unit/power",
    "runner/jobs/retention/doubts.py": RETENTION,
    "runner/jobs/retention/prune.py": RETENTION,
    "runner/jobs/retention/retention.py": RETENTION,
    "runner/jobs/retention/room.py": RETENTION,
    "runner/jobs/retention/runway.py": RETENTION,
    "runner/jobs/retention/steps.py": RETENTION,
    "runner/jobs/retention/thinning.py": RETENTION,
    "runner/jobs/snapshots/filesystems.py": "tests/unit/snapshots",
    "runner/jobs/snapshots/room.py": "tests/unit/snapshots",
    "runner/jobs/snapshots/when.py": "tests/unit/snapshots",
    "runner/planning/passes.py": PLANNING,
    "runner/planning/planner.py": PLANNING,
    "runner/planning/floors.py": PLANNING,
    "runner/planning/review.py": PLANNING,
    "runner/planning/schedule.py": PLANNING,
    "runner/tools/answers.py": "tests/unit/tools tests/unit/retention",
}
