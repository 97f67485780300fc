"""Getting a database back from a dump: under a new name, compared with what was counted when it was dumped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from runner.agent.database.contract import MOST_BYTES, encoded
from runner.agent.database.contract_restore import NewestDump
from runner.jobs.database import agent
from runner.jobs.database.agent import From
from runner.jobs.database.dump import server_of
from runner.jobs.snapshots import restore
from runner.model.facts import Facts, Snapshot
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.plan import Argv, Command, Effect, Ended, Finding, Lock, PlannedJob, Skip, Step
from runner.model.role import Role
from runner.model.site import Job, Site, Store
from runner.model.text import count, one_line, size
from runner.tools import agent as store

JOB = "restore-db"
SANDBOX = "the sandbox has no database"
_LONG = 7 * 86400


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a person asks back: database `name` of the dump job `job` as `found`, into the new database `into`.

    `kept` is the snapshot of the store that it is taken from; None: from the folder of the dumps itself.
    `bring` are the roles that are missing at the server and are made first. `left` are databases that
    earlier restores began and did not end.
    """

    job: Job
    name: str
    into: str
    found: NewestDump
    kept: tuple[Store, Snapshot] | None = None
    bring: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def draft(site: Site, wanted: Wanted, facts: Facts, now: datetime) -> Draft:
    """Look at the dump and the server, restore under a name that says it is not whole, count, rename.

    Whatever fails, what was begun is dropped again: there is never a database called `into` that is not
    whole. Nothing that is there is touched, so it interrupts nobody.
    """
    if not site.live:
        return Draft(skip=Skip(job=JOB, reason=SANDBOX))
    host, stamp = site.host(wanted.job.host), plan_id(now)
    folder = f"{restore.SIDE}/{stamp}" if wanted.kept else ""
    below = f"{folder}{wanted.job.options.to}"
    source = From(
        program=store.program(host),
        server=server_of(wanted.job),
        plan=stamp,
        sha256=wanted.found.record.sha256,
        dump=f"{below}/{_file(wanted)}",
    )
    copies, locks = _copies(site, wanted, facts, now)
    steps = (*copies, *_roles(wanted, source, below), *_making(wanted, source))
    first = _step(
        wanted,
        "look",
        Effect.READ,
        agent.check(source, wanted.into, wanted.bring),
        "the dump is whole, and the server can take it",
        _LONG,
    )
    steps = (*steps[: len(copies)], first, *steps[len(copies) :])
    if folder:
        steps = (*steps, _tidy(wanted, folder, steps))
    planned = PlannedJob(
        name=JOB, kind="restore-db", locks=(*locks, _lock(site, source, host.name)), headline=_headline(wanted)
    )
    return Draft(planned=planned, steps=steps, findings=tuple(_findings(wanted)))


def _lock(site: Site, source: From, host: str) -> Lock:
    """One restore at a time: of the same plan begun twice the second would drop what the first is making."""
    return Lock(
        resource=f"restores of databases on {host}",
        host=host,
        argv=agent.hold_restores(source.program, source.plan, f"{JOB} of {site.controller}"),
    )


def _copies(site: Site, wanted: Wanted, facts: Facts, now: datetime) -> tuple[tuple[Step, ...], tuple[Lock, ...]]:
    """Steps that bring the dump, its record and the roles out of the snapshot to the database's host."""
    if wanted.kept is None:
        return (), ()
    place, snapshot = wanted.kept
    names = {"dump": _file(wanted), "record": _file(wanted).removesuffix(".dump") + ".json"}
    if wanted.bring and wanted.found.globals:
        names["globals"] = f"globals/{wanted.found.globals.file}"
    steps: list[Step] = []
    locks: tuple[Lock, ...] = ()
    for what, name in names.items():
        path = f"{wanted.job.options.to}/{name}"
        back = restore.RestoreRequest(host=wanted.job.host, path=path, store=place, snapshot=snapshot)
        made = restore.draft(site, back, facts, now)
        folder, copy, _ = made.steps
        locks = made.planned.locks if made.planned else ()
        steps += [replace(folder, id=f"{JOB}/folder", job=JOB)] if not steps else []
        steps.append(replace(copy, id=f"{JOB}/copy-{what}", job=JOB, subject=what))
    return tuple(steps), locks


def _roles(wanted: Wanted, source: From, below: str) -> tuple[Step, ...]:
    if not wanted.bring or wanted.found.globals is None:
        return ()
    known = wanted.found.globals
    argv = agent.make_roles(source, f"{below}/globals/{known.file}", known.sha256, wanted.bring)
    names = ", ".join(map(one_line, wanted.bring))
    return (
        _step(wanted, "roles", Effect.WRITE, argv, f"make {names}; no role that is there is changed", 600).known_as(
            Role.ROLES
        ),
    )


def _making(wanted: Wanted, source: From) -> tuple[Step, ...]:
    into = one_line(wanted.into)
    steps = (
        _step(
            wanted, "restore", Effect.WRITE, agent.restore(source), "restore it beside what is there", _LONG
        ).known_as(Role.RESTORE),
        _step(
            wanted,
            "compare",
            Effect.READ,
            agent.verify(source),
            "every table has the rows that it had when it was dumped",
            _LONG,
        ).known_as(Role.COMPARE),
        _step(
            wanted, "name", Effect.WRITE, agent.publish(source, wanted.into), f"it is whole: call it {into}", 600
        ).known_as(Role.NAME),
    )
    drop = _step(wanted, "drop", Effect.WRITE, agent.drop(source), "leave nothing that is not whole", 600).known_as(
        Role.DROP
    )
    return (*steps, replace(drop, unless=Ended(step=steps[-1].id), despite=tuple(step.id for step in steps)))


def _tidy(wanted: Wanted, folder: str, steps: Sequence[Step]) -> Step:
    argv = agent.remove_copy(folder)
    tidy = _step(wanted, "tidy", Effect.WRITE, argv, "the copy of the dump is not needed any more", 600).known_as(
        Role.TIDY
    )
    return replace(tidy, despite=tuple(step.id for step in steps))


def _step(wanted: Wanted, word: str, effect: Effect, argv: Argv, why: str, timeout: int) -> Step:
    return Step(
        id=f"{JOB}/{word}",
        job=JOB,
        host=wanted.job.host,
        effect=effect,
        action=Command(argv=argv),
        why=why,
        timeout=timeout,
    )


def _file(wanted: Wanted) -> str:
    return f"databases/{encoded(wanted.name)}/{wanted.found.record.dump}"


def _headline(wanted: Wanted) -> str:
    dump = wanted.found.record
    return (
        f"{one_line(wanted.name)} is back as {one_line(wanted.into)}, from the dump {dump.dump.removesuffix('.dump')}: "
        f"{count(dump.tables, 'table')} and {count(dump.rows, 'row')}, as they were counted then"
    )


def _findings(wanted: Wanted) -> list[Finding]:
    dump = wanted.found.record
    came = f" in snapshot {wanted.kept[1].name} of store {wanted.kept[0].name}" if wanted.kept else ""
    texts = [
        f"from the dump {dump.dump.removesuffix('.dump')}{came}: {size(dump.bytes)}, "
        f"{count(dump.tables, 'table')}, {count(dump.rows, 'row')}",
        f"nothing that is there is changed; to put it in the place of {one_line(wanted.name)} afterwards: "
        f"runner restore-db --swap {shell(wanted.into)} {shell(wanted.name)}",
    ]
    texts += [f"a newer dump was passed over: {one_line(one)}" for one in wanted.found.passed]
    texts += [
        f"an earlier restore was cut off and left database {one_line(one)}: if none runs now, drop it"
        for one in wanted.left
    ]
    return [Finding(severity="note", text=text, source=JOB) for text in texts]


def shell(name: str) -> str:
    """A name as a person types it at a shell."""
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum() and not name.startswith("-")
    return name if plain else "'" + one_line(name).replace("'", "'\\''") + "'"


def restored(name: str, now: datetime) -> str:
    """What a database is called when it was restored beside `name` at `now`."""
    return _with(name, "_restored_", now)


def before(name: str, new: str, now: datetime) -> str:
    """What the database `name` is called after `new` took its place at `now`.

    Where `new` has just that name, from a swap of the same second, it is that of the next one.
    """
    found = _with(name, "_before_", now)
    return found if found != new else _with(name, "_before_", now + timedelta(seconds=1))


def _with(name: str, word: str, now: datetime) -> str:
    # Small letters and no dashes: who types it need not quote it.
    tail = f"{word}{now.astimezone(UTC):%Y%m%d_%H%M%S}"
    return name.encode()[: MOST_BYTES - len(tail)].decode(errors="ignore") + tail
