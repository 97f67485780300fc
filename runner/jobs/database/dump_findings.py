"""What a person should know before a server is dumped, and what forbids it now."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from runner.jobs.database import dumps
from runner.jobs.database.agent import Found, Kept
from runner.model.plan import Finding, Severity
from runner.model.site import Job
from runner.model.text import count, one_line, size

_LISTED = 10


def unable(job: Job, found: Found, kept: Kept, wanted: Sequence[str], at: str | None) -> tuple[Finding, ...]:
    """Why no plan can be made; empty where it can."""
    if kept.error:
        return (
            _finding(job, "attention", f"{job.options.to}: {kept.error}", "correct `to`, or that folder"),
        )
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
            _finding(
                job, "attention", f"there is no database {one_line(name)}", "correct `databases` in jobs.toml"
            )
            for name in job.options.databases
            if name not in (*found.databases, *found.closed)
        ]
        said += _closed(job, found)
        gone = [
            name
            for name, some in kept.databases.items()
            if some and name not in (*found.databases, *found.closed)
        ]
        if gone and not job.options.databases:
            said.append(
                _finding(
                    job, "note", f"gone, and their dumps are kept until a person removes them: {_some(gone)}"
                )
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
            job, severity, f"not dumped, since no connection to it is allowed: {_some(names)}",
            f"ALTER DATABASE {one_line(names[0])} ALLOW_CONNECTIONS true; or drop it",
        )
        for names, severity in texts if names
    ]  # fmt: skip


def _unreadable(job: Job, found: Found, kept: Kept) -> tuple[Finding, ...]:
    newer = [
        name
        for name, some in kept.databases.items()
        if found.pg_dump and some and _major(some[-1].pg_dump) > _major(found.pg_dump)
    ]
    if not newer:
        return ()
    text = f"pg_restore {found.pg_dump} here cannot read the newest dumps, made by a newer pg_dump: {_some(newer)}"
    return (
        _finding(job, "attention", text, "install the newer client programs again, or name them: `programs`"),
    )


def _room(job: Job, kept: Kept, wanted: Sequence[str]) -> tuple[Finding, ...]:
    last = [kept.databases[name][-1].bytes for name in wanted if kept.databases.get(name)]
    needed = dumps.room(last)
    if kept.free is None or kept.free >= needed:
        return ()
    text = f"{job.options.to} has {size(kept.free)} free, and {count(len(last), 'dump')} need about {size(needed)}"
    return (
        _finding(job, "attention", text, "free some room there, keep fewer dumps, or take a larger disk"),
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(one_line(name) for name in names[:_LISTED]) + more


def _major(version: str) -> int:
    digits = version.partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _finding(job: Job, severity: Severity, text: str, do: str = "") -> Finding:
    return Finding(severity=severity, source=job.name, text=text, do=do)
