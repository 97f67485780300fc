"""What a person should know before a server is dumped, and what forbids it now."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from runner.jobs.database.agent import Found, Kept
from runner.model.facts import Facts
from runner.model.names import snapshot_time
from runner.model.plan import Finding, Severity
from runner.model.site import Job, Site
from runner.model.text import count, one_line, size

_LISTED = 10

OLD = timedelta(hours=36)
_SPARE = 16 << 20


def unable(job: Job, found: Found, kept: Kept, wanted: Sequence[str], at: str | None) -> tuple[Finding, ...]:
    """Why no plan can be made; empty where it can."""
    if kept.error:
        return (_finding(job, "attention", f"{job.options.to}: {kept.error}", "correct `to`, or that folder"),)
    if found.trouble:
        return (_finding(job, "attention", found.trouble, found.do),)
    if not wanted:
        text = found.error or "the server has none of the databases that are to be dumped"
        return (_finding(job, "attention", text, found.do or "correct `databases` in jobs.toml"),)
    if at is None:
        text = f"the clock is before the newest dump in {job.options.to}"
        return (_finding(job, "attention", text, f"set the clock of {job.host} and of the controller right"),)
    return ()


def findings(job: Job, found: Found, kept: Kept, wanted: Sequence[str]) -> tuple[Finding, ...]:
    """What was seen: databases that went or came, dumps that shrank or cannot be read here, too little room."""
    # The plan asks once more: whether it needs a person is known then.
    said = [_finding(job, "note", found.error, found.do)] if found.error else []
    if not found.error:
        said += [
            _finding(job, "attention", f"there is no database {one_line(name)}", "correct `databases` in jobs.toml")
            for name in job.options.databases
            if name not in (*found.databases, *found.closed)
        ]
        said += _closed(job, found)
        gone = [name for name, some in kept.databases.items() if some and name not in (*found.databases, *found.closed)]
        if gone and not job.options.databases:
            said.append(
                _finding(job, "note", f"gone, and their dumps are kept until a person removes them: {_some(gone)}")
            )
        fresh = [name for name in wanted if not kept.databases.get(name)]
        if fresh:
            said.append(_finding(job, "note", f"dumped for the first time: {_some(fresh)}"))
    if found.standby:
        said.append(_finding(job, "note", "the server is a standby: it is dumped as far as it has followed"))
    if kept.odd:
        said.append(_finding(job, "note", f"no dumps, and left alone: {_some(kept.odd)}"))
    return (*said, *_elsewhere(job, kept), *_unreadable(job, found, kept), *_room(job, kept, wanted))


def _elsewhere(job: Job, kept: Kept) -> tuple[Finding, ...]:
    """A snapshot has a link as a link: what is looked for in it by the name in jobs.toml is not found."""
    if not kept.real or kept.real == posixpath.normpath(job.options.to):
        return ()
    text = f"{job.options.to} leads to {one_line(kept.real)} through a link, and in a snapshot no link is followed"
    return (_finding(job, "attention", text, f'to = "{one_line(kept.real)}" in jobs.toml'),)


def _closed(job: Job, found: Found) -> list[Finding]:
    """Those that cannot be dumped since nobody can connect to them; a person who named one has to act."""
    named = [name for name in found.closed if name in job.options.databases]
    others = [] if job.options.databases else found.closed
    texts: tuple[tuple[Sequence[str], Severity], ...] = ((named, "attention"), (others, "note"))
    return [
        _finding(
            job,
            severity,
            f"not dumped, since no connection to it is allowed: {_some(names)}",
            f"ALTER DATABASE {one_line(names[0])} ALLOW_CONNECTIONS true; or drop it",
        )
        for names, severity in texts
        if names
    ]


def _unreadable(job: Job, found: Found, kept: Kept) -> tuple[Finding, ...]:
    newer = [
        name
        for name, some in kept.databases.items()
        if found.pg_dump and some and _major(some[-1].pg_dump) > _major(found.pg_dump)
    ]
    if not newer:
        return ()
    text = f"pg_restore {found.pg_dump} here cannot read the newest dumps, made by a newer pg_dump: {_some(newer)}"
    return (_finding(job, "attention", text, "install the newer client programs again, or name them: `programs`"),)


def _room(job: Job, kept: Kept, wanted: Sequence[str]) -> tuple[Finding, ...]:
    last = [kept.databases[name][-1].bytes for name in wanted if kept.databases.get(name)]
    needed = room(last)
    if kept.free is None or kept.free >= needed:
        return ()
    text = f"{job.options.to} has {size(kept.free)} free, and {count(len(last), 'dump')} need about {size(needed)}"
    return (_finding(job, "attention", text, "free some room there, keep fewer dumps, or take a larger disk"),)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(one_line(name) for name in names[:_LISTED]) + more


def _major(version: str) -> int:
    digits = version.partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _finding(job: Job, severity: Severity, text: str, do: str = "") -> Finding:
    return Finding(severity=severity, source=job.name, text=text, do=do)


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
            said.append(
                Finding(
                    severity="attention",
                    source=job.name,
                    text=f"database: {since}; {name} is not in this plan",
                    do=f"runner run {name}",
                )
            )
    return tuple(said)
