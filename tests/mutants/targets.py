"""Which modules are made wrong, and the tests of their room, the quick ones first."""

from __future__ import annotations

STORE = "tests/contract/snapshots/test_lock.py tests/contract/packages/test_hold_host.py"
EXPIRE = "tests/contract/retention/test_expire.py tests/contract/retention/test_pin.py"
SEAL = "tests/contract/snapshots/test_snapshots.py tests/contract/snapshots/test_damaged.py"
PACKAGES = "tests/unit/packages"
RETENTION = "tests/unit/retention tests/unit/snapshots tests/unit/planning"
PLANNING = "tests/unit/planning tests/unit/retention tests/unit/snapshots tests/unit/power"

TARGETS: dict[str, str] = {
    "runner/agent/arguments.py": "tests/unit/tools tests/contract/snapshots/test_damaged.py",
    "runner/agent/durable.py": "tests/contract/store/test_durable.py",
    "runner/agent/store/lock.py": STORE,
    "runner/agent/store/layout.py": f"{SEAL} {EXPIRE}",
    "runner/agent/store/trash.py": f"tests/contract/retention/test_reap.py {EXPIRE}",
    "runner/agent/store/pins.py": "tests/contract/retention/test_pin.py",
    "runner/agent/store/proven.py": "tests/contract/drill/test_drill_proven.py",
    "runner/agent/retention/expire.py": EXPIRE,
    "runner/agent/retention/floor.py": EXPIRE,
    "runner/agent/snapshots/begin.py": SEAL,
    "runner/agent/snapshots/seal.py": f"{SEAL} tests/contract/snapshots/test_interrupted.py",
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
    "runner/planning/review.py": PLANNING,
    "runner/planning/schedule.py": PLANNING,
    "runner/tools/answers.py": "tests/unit/tools tests/unit/retention",
}
