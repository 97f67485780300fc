"""Which dumps expire, how much room the next ones need, and when the dumps of a site have become old."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from runner.model.facts import Facts
from runner.model.names import snapshot_time
from runner.model.plan import Finding
from runner.model.site import Job, Site

OLD = timedelta(hours=36)
_SPARE = 16 << 20


def expiring(times: Iterable[str], keep: int, keep_for: timedelta, now: datetime) -> tuple[str, ...]:
    """Of dumps named by their time those that go once there is one of `now`, oldest first.

    They are older than `keep_for`, and `keep` newer ones stay, that of now among them. What is not named
    by a time never goes.
    """
    known = sorted((moment, time) for time in times if (moment := snapshot_time(time)))
    beyond = known[: max(len(known) + 1 - max(keep, 1), 0)]
    return tuple(time for moment, time in beyond if now - moment > keep_for)


def room(last: Sequence[int]) -> int:
    """How many bytes must be free for the next dumps, from the sizes of the last ones: a tenth more."""
    return sum(last) * 11 // 10 + _SPARE


def stale(site: Site, jobs: Sequence[Job], planned: Collection[str], facts: Facts) -> tuple[Finding, ...]:
    """Of the planned snapshots those that come after a dump which is old and not in the same plan.

    `planned` are the names of the jobs that are in the plan. A snapshot then has an old dump in it, and
    says so.
    """
    if not site.live:
        return ()
    kinds = {one.name: one.kind for one in site.jobs}
    said = []
    for job in jobs:
        if job.name not in planned or job.kind != "snapshot":
            continue
        for name in job.after:
            last = facts.last.get(name)
            if kinds.get(name) != "dump" or name in planned or (last and facts.at - last <= OLD):
                continue
            since = f"stale since {last:%Y-%m-%d %H:%M} UTC" if last else "never dumped, as far as is known"
            said.append(Finding(
                severity="attention", source=job.name, text=f"database: {since}; {name} is not in this plan",
                do=f"runner run {name}",
            ))  # fmt: skip
    return tuple(said)
