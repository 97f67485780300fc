"""Which dumps expire, what room the next ones need, when a snapshot's database is old."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from runner.jobs.database import dump_findings
from runner.jobs.database.dump import DumpOptions
from runner.jobs.snapshots.snapshot import SnapshotKind
from runner.model.names import snapshot_name
from runner.model.site import Job
from runner.planning import planner
from tests.unit import parts

DAY = timedelta(days=1)
DUMP = Job(name="dump-babase", kind="dump", host=parts.PAPIO, options=DumpOptions(to="/srv/dumps"))
BACKUP = parts.job("backup-papio", after=("dump-babase",))


def times(*days: float) -> list[str]:
    return [snapshot_name(parts.NOW - day * DAY) for day in days]


def test_what_is_old_goes_oldest_first_and_as_many_as_wanted_stay() -> None:
    known = times(*range(1, 41))
    assert dump_findings.expiring(known, 14, 30 * DAY, parts.NOW) == tuple(reversed(times(*range(31, 41))))
    # 35 stay: that of now and 34 more.
    assert dump_findings.expiring(known, 35, 30 * DAY, parts.NOW) == tuple(reversed(times(*range(35, 41))))
    assert dump_findings.expiring(known, 100, DAY, parts.NOW) == ()


def test_however_little_is_to_be_kept_that_of_now_stays() -> None:
    assert dump_findings.expiring(times(40, 50), 1, DAY, parts.NOW) == tuple(times(50, 40))
    assert dump_findings.expiring(times(40, 50), 0, DAY, parts.NOW) == tuple(times(50, 40))
    assert dump_findings.expiring(times(40, 50), 2, DAY, parts.NOW) == tuple(times(50))
    assert dump_findings.expiring([], 1, DAY, parts.NOW) == ()


def test_what_is_not_named_by_a_time_never_goes() -> None:
    names = ["before the upgrade", "2026-13-45T000000Z", "", *times(50)]
    assert dump_findings.expiring(names, 1, DAY, parts.NOW) == tuple(times(50))


def stale(jobs: tuple[Job, ...], planned: set[str], **changes: Any) -> list[str]:
    live = changes.pop("live", True)
    site = parts.site(live=live, jobs=(DUMP, BACKUP))
    found = dump_findings.stale(site, jobs, planned, _facts(changes))
    assert all((one.severity, one.source) == ("attention", "backup-papio") for one in found)
    return [one.text for one in found]


def _facts(last: dict[str, Any]) -> Any:
    return replace(parts.facts(), last={name.replace("_", "-"): at for name, at in last.items()})


def test_a_snapshot_says_that_its_database_is_old_when_nothing_dumps_it() -> None:
    old = parts.NOW - timedelta(hours=37)
    (text,) = stale((BACKUP,), {"backup-papio"}, dump_babase=old)
    assert text == f"database: stale since {old:%Y-%m-%d %H:%M} UTC; dump-babase is not in this plan"
    assert "never dumped" in stale((BACKUP,), {"backup-papio"})[0]
    # A dump job that was left out for a reason is not in the plan either.
    assert len(stale((DUMP, BACKUP), {"backup-papio"}, dump_babase=old)) == 1


def test_a_plan_without_the_dump_carries_what_the_snapshot_says() -> None:
    site = parts.site(jobs=(DUMP, BACKUP))
    plan = planner.draft(site, (BACKUP,), _facts({}), {"snapshot": SnapshotKind()}, {})
    assert "backup-papio" in {one.name for one in plan.jobs}
    assert [one.text for one in plan.findings if one.text.startswith("database: ")] == [
        "database: never dumped, as far as is known; dump-babase is not in this plan"
    ]


def test_a_snapshot_says_nothing_of_a_dump_that_is_new_or_comes_first() -> None:
    old = parts.NOW - timedelta(hours=37)
    assert stale((BACKUP,), {"backup-papio"}, dump_babase=parts.NOW - timedelta(hours=35)) == []
    assert stale((DUMP, BACKUP), {"dump-babase", "backup-papio"}, dump_babase=old) == []
    assert stale((BACKUP,), set(), dump_babase=old) == []
    assert stale((BACKUP,), {"backup-papio"}, dump_babase=old, live=False) == []
