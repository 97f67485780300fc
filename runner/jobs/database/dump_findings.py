"""What a person should know before a server is dumped, and what forbids it now."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from runner.agent.database.contract import Database, Databases, DatabaseTrouble, DumpListing
from runner.model.facts import Facts
from runner.model.names import snapshot_time
from runner.model.options import DumpOptions
from runner.model.plan import Finding, Severity
from runner.model.site import Job, Site
from runner.model.text import count, length, one_line, size, whole_number

_LISTED = 10
_NONE = "the server has none of the databases that are to be dumped"

OLD = timedelta(hours=36)
_SPARE = 16 << 20


def unreadable(job: Job, trouble: DatabaseTrouble) -> Finding:
    """The finding where the folder of dumps cannot be read."""
    return _finding(job, "attention", f"{job.options.to}: {trouble.error}", "correct `to`, or that folder")


def wrong_clock(job: Job) -> Finding:
    """The finding where a dump in the folder is of the future."""
    text = f"the clock is behind the newest dump in {job.options.to}"
    return _finding(job, "attention", text, f"set the clock of {job.host} and of the controller right")


def unable(job: Job, server: Databases | DatabaseTrouble, names: Sequence[str]) -> Finding | None:
    """Why no plan can be made for the databases `names`; None where it can."""
    if isinstance(server, Databases) and server.trouble:
        return _finding(job, "attention", server.trouble.error, server.trouble.do)
    if names:
        return None
    text, do = server if isinstance(server, DatabaseTrouble) else (_NONE, "")
    return _finding(job, "attention", text, do or "correct `databases` in jobs.toml")


def findings(
    job: Job, server: Databases | DatabaseTrouble, folder: DumpListing, names: Sequence[str]
) -> tuple[Finding, ...]:
    """What was seen: databases that are gone or new, dumps that shrank or cannot be read here, too little room."""
    if isinstance(server, DatabaseTrouble):
        # The plan asks once more: whether it needs a person is known then.
        seen = [_finding(job, "note", server.error, server.do)]
    else:
        seen = [*_differences(job, server, folder, names)]
    if folder.odd:
        seen.append(_finding(job, "note", f"not dumps, and left alone: {_list(folder.odd)}"))
    seen += _elsewhere(job, folder)
    if isinstance(server, Databases):
        seen += _newer(job, server, folder)
    return (*seen, *_room(job, folder, names))


def made(job: Job, number: int) -> tuple[Finding, ...]:
    """That so many databases have a dump for the job's instant: the run that made them did not end well."""
    if not number:
        return ()
    text = (
        f"{count(number, 'database')} dumped for the same time before, by a run that did not dump all; this takes it up"
    )
    return (_finding(job, "note", text),)


def scratch(options: DumpOptions, server: Databases | DatabaseTrouble, folder: DumpListing) -> tuple[Database, ...]:
    """The databases that were restored beside another and are not dumped: none that is named, or that has a dump."""
    if isinstance(server, DatabaseTrouble) or options.databases:
        return ()
    return tuple(each for each in server.databases if each.restored and not folder.databases.get(each.name))


def restored(
    job: Job, server: Databases | DatabaseTrouble, folder: DumpListing, now: datetime, keep: timedelta
) -> Iterator[Finding]:
    """What was restored and is not dumped; that it is old, where a person should drop it."""
    for each in scratch(job.options, server, folder):
        age = now - each.restored if each.restored else timedelta(0)
        name = one_line(each.name)
        text = f"database {name} is not dumped: it was restored {length(max(age, timedelta(0)))} ago, and is scratch"
        do = "drop it, or put it into place: docs/guide.md; or name it in `databases`, to dump it"
        yield _finding(job, "attention" if age > keep else "note", text, do)


def _differences(job: Job, server: Databases, folder: DumpListing, names: Sequence[str]) -> Iterator[Finding]:
    """What the server has, against what jobs.toml names and what was dumped before."""
    there = {*(database.name for database in server.databases), *server.closed}
    for name in job.options.databases:
        if name not in there:
            yield _finding(
                job, "attention", f"there is no database {one_line(name)}", "correct `databases` in jobs.toml"
            )
    yield from _closed(job, server)
    gone = [name for name, dumps in folder.databases.items() if dumps and name not in there]
    if gone and not job.options.databases:
        yield _finding(job, "note", f"gone, and their dumps are kept until a person removes them: {_list(gone)}")
    if fresh := [name for name in names if not folder.databases.get(name)]:
        yield _finding(job, "note", f"dumped for the first time: {_list(fresh)}")
    if server.standby:
        yield _finding(job, "note", "the server is a standby: it is dumped as far as it has followed")


def _elsewhere(job: Job, folder: DumpListing) -> Iterator[Finding]:
    """A snapshot has a link as a link: what is looked for in it by the name in jobs.toml is not found."""
    if folder.real and folder.real != posixpath.normpath(job.options.to):
        real = one_line(folder.real)
        text = f"{job.options.to} leads to {real} through a link, and in a snapshot no link is followed"
        yield _finding(job, "attention", text, f'to = "{real}" in jobs.toml')


def _closed(job: Job, server: Databases) -> Iterator[Finding]:
    """Those that cannot be dumped since nobody can connect to them; a person who named one has to act."""
    named = tuple(name for name in server.closed if name in job.options.databases)
    names = named if job.options.databases else server.closed
    if names:
        yield _finding(
            job,
            "attention" if named else "note",
            f"not dumped, since no connection to it is allowed: {_list(names)}",
            f"ALTER DATABASE {one_line(names[0])} ALLOW_CONNECTIONS true; or drop it",
        )


def _newer(job: Job, server: Databases, folder: DumpListing) -> Iterator[Finding]:
    newer = [
        name
        for name, dumps in folder.databases.items()
        if server.pg_dump and dumps and _major(dumps[-1].pg_dump) > _major(server.pg_dump)
    ]
    if newer:
        text = f"pg_restore {server.pg_dump} here cannot read the newest dumps, made by a newer pg_dump: {_list(newer)}"
        yield _finding(job, "attention", text, "install the newer client programs again, or name them: `programs`")


def _room(job: Job, folder: DumpListing, names: Sequence[str]) -> Iterator[Finding]:
    last = [folder.databases[name][-1].bytes for name in names if folder.databases.get(name)]
    needed = room(last)
    if folder.free < needed:
        text = (
            f"{job.options.to} has {size(folder.free)} free, and {count(len(last), 'dump')} need about {size(needed)}"
        )
        yield _finding(job, "attention", text, "free some room there, keep fewer dumps, or take a larger disk")


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(one_line(name) for name in names[:_LISTED]) + more


def _major(version: str) -> int:
    return whole_number(version.partition(".")[0]) or 0


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
    kinds = {job.name: job.kind for job in site.jobs}
    findings = []
    for job in jobs:
        if job.name not in planned or job.kind != "snapshot":
            continue
        for name in job.after:
            last = facts.last.get(name)
            if kinds.get(name) != "dump" or name in planned or (last and facts.at - last <= OLD):
                continue
            since = f"stale since {last:%Y-%m-%d %H:%M} UTC" if last else "never dumped, as far as is known"
            findings.append(
                Finding(
                    severity="attention",
                    source=job.name,
                    text=f"database: {since}; {name} is not in this plan",
                    do=f"runner run {name}",
                )
            )
    return tuple(findings)
