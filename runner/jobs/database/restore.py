"""Getting a database back from a dump: under a new name, compared with what was counted when it was dumped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from runner.agent.database.contract import MOST_BYTES, encoded
from runner.agent.database.contract_restore import MakeRoles, NewestDump, RestoreDump
from runner.jobs.database import agent
from runner.jobs.database.dump import server_of
from runner.jobs.snapshots import restore
from runner.jobs.snapshots.restored import closed, inside
from runner.jobs.snapshots.route import RestoreRequest
from runner.model.facts import Facts, Snapshot
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.plan import Argv, Command, Effect, Ended, Finding, Lock, PlannedJob, Skip, Step
from runner.model.role import Role
from runner.model.site import Job, Site, Store
from runner.model.text import count, one_line, size
from runner.tools import agent as store
from runner.tools import detached

JOB = "restore-db"
SANDBOX = "the sandbox has no database"
_LONG = 7 * 86400


class DumpPlace(NamedTuple):
    """The snapshot of a store that a dump is taken from."""

    store: Store
    snapshot: Snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseRestore:
    """What a person asks back: database `name` of the dump job `job` from `newest`, into the new database `into`.

    `place` is where that is; None: in the folder of the dumps itself. `bring` are the roles that are missing at
    the server and are made first. `left` are databases that earlier restores began and did not end. `supers` are the
    superusers among its owners; with `superuser` all of it is restored with a superuser's rights.
    """

    job: Job
    name: str
    into: str
    newest: NewestDump
    place: DumpPlace | None = None
    bring: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    supers: tuple[str, ...] = ()
    superuser: bool = False

    @property
    def file(self) -> str:
        """The dump in the folder of dumps."""
        return f"databases/{encoded(self.name)}/{self.newest.record.dump}"


def draft(site: Site, back: DatabaseRestore, facts: Facts, now: datetime) -> Draft:
    """Look at the dump and the server, restore under a name that says it is not whole, count, rename.

    Whatever fails, what was begun is dropped again: there is never a database called `into` that is not
    whole. Nothing that is there is touched, so it interrupts nobody.
    """
    if not site.live:
        return Draft(skip=Skip(job=JOB, reason=SANDBOX))
    host, plan = site.host(back.job.host), plan_id(now)
    program, folder = store.program(host), f"{restore.SIDE}/{plan}" if back.place else ""
    # Below the `/./` no link is followed: what was received is another host's, what is dumped the database's.
    below = f"{inside(folder)}/.{back.job.options.to}" if folder else f"{back.job.options.to}/."
    source = RestoreDump(f"{below}/{back.file}", server_of(back.job), back.newest.record.sha256, plan)
    steps, locks = _copies(site, back, facts, now)
    steps += _making(back, program, source, below)
    if folder:
        why = "the copy of the dump is not needed any more"
        tidy = _step(back, Role.TIDY, agent.remove_copy(folder), why)
        steps.append(replace(tidy, despite=tuple(step.id for step in steps)))
    # One restore at a time: of the same plan begun twice the second would drop what the first is making.
    lock = Lock(
        resource=f"restores of databases on {host.name}",
        host=host.name,
        argv=detached.hold_host(program, "restore-db", plan, f"{JOB} of {site.controller}"),
    )
    planned = PlannedJob(name=JOB, kind="restore-db", locks=(*locks, lock), headline=_headline(back))
    return Draft(planned=planned, steps=tuple(steps), findings=tuple(_findings(back)))


def _copies(site: Site, back: DatabaseRestore, facts: Facts, now: datetime) -> tuple[list[Step], tuple[Lock, ...]]:
    """Steps that bring the dump, its record and the roles out of the snapshot to the database's host."""
    steps: list[Step] = []
    locks: tuple[Lock, ...] = ()
    if back.place is None:
        return steps, locks
    kept, snapshot = back.place
    names = {"dump": back.file, "record": back.file.removesuffix(".dump") + ".json"}
    if back.bring and back.newest.globals:
        names["globals"] = f"globals/{back.newest.globals.file}"
    for what, name in names.items():
        path = f"{back.job.options.to}/{name}"
        request = RestoreRequest(host=back.job.host, path=path, store=kept, snapshot=snapshot)
        copying = restore.draft(site, request, facts, now)
        roles = {step.role: step for step in copying.steps}
        folder, copy = roles[Role.FOLDER], roles[Role.COPY]
        locks = copying.planned.locks if copying.planned else ()
        steps += [replace(folder, id=f"{JOB}/folder", job=JOB)] if not steps else []
        steps.append(replace(copy, id=f"{JOB}/copy-{what}", job=JOB, subject=what))
    place = f"{restore.SIDE}/{plan_id(now)}"
    copies = [step.id for step in steps if step.role == Role.COPY]
    steps.append(closed(JOB, site.host(back.job.host), place, copies))
    return steps, locks


def _making(back: DatabaseRestore, program: str, source: RestoreDump, below: str) -> Iterator[Step]:
    check, why = agent.check(program, source, back.into, back.bring), "the dump is whole, and the server can take it"
    yield _step(back, Role.LOOK, check, why, _LONG).known_as(Role.STEP)
    if back.bring and back.newest.globals:
        file, names = back.newest.globals, ", ".join(map(one_line, back.bring))
        roles = MakeRoles(f"{below}/globals/{file.file}", source.server, file.sha256, back.bring)
        why = f"make {names}; no role that is there is changed"
        yield _step(back, Role.ROLES, agent.make_roles(program, roles), why)
    compared = "every table has the rows that it had when it was dumped"
    publish, complete = agent.publish(program, source, back.into), f"it is complete: name it {one_line(back.into)}"
    restored_as = source._replace(superuser=back.superuser)
    steps = (
        _step(back, Role.RESTORE, agent.restore(program, restored_as), "restore it beside what is there", _LONG),
        _step(back, Role.COMPARE, agent.verify(program, source), compared, _LONG),
        _step(back, Role.NAME, publish, complete),
    )
    yield from steps
    drop = _step(back, Role.DROP, agent.drop(program, source), "remove what is not complete")
    yield replace(drop, unless=Ended(step=steps[-1].id), despite=tuple(step.id for step in steps))


def _step(back: DatabaseRestore, role: Role, argv: Argv, why: str, timeout: int = 600) -> Step:
    return Step(
        id=f"{JOB}/{role}",
        role=role,
        job=JOB,
        host=back.job.host,
        effect=Effect.READ if role in (Role.LOOK, Role.COMPARE) else Effect.WRITE,
        action=Command(argv=argv),
        why=why,
        timeout=timeout,
    )


def _headline(back: DatabaseRestore) -> str:
    dump = back.newest.record
    return (
        f"{one_line(back.name)} is back as {one_line(back.into)}, from the dump {dump.dump.removesuffix('.dump')}: "
        f"{count(dump.tables, 'table')} and {count(dump.rows, 'row')}, as they were counted then"
    )


def _findings(back: DatabaseRestore) -> Iterator[Finding]:
    dump = back.newest.record
    source = f" in snapshot {back.place.snapshot.name} of store {back.place.store.name}" if back.place else ""
    texts = [
        f"from the dump {dump.dump.removesuffix('.dump')}{source}: {size(dump.bytes)}, "
        f"{count(dump.tables, 'table')}, {count(dump.rows, 'row')}",
        _rights(back),
    ]
    texts += [
        f"an earlier restore was cut off and left database {one_line(name)}: if none runs now, drop it"
        for name in back.left
    ]
    yield from (Finding(severity="note", text=text, source=JOB) for text in texts)
    do = f"to put it in the place of {one_line(back.name)} afterwards:"
    command = f"runner restore-db --swap {shell(back.into)} {shell(back.name)}"
    yield Finding(severity="note", text="nothing that is there is changed", source=JOB, do=do, command=command)
    for why in back.newest.passed:
        text = f"a newer dump was passed over: {one_line(why)}"
        yield Finding(severity="attention", text=text, source=JOB, do="see why it is not whole, and dump again")
    if back.newest.no_roles:
        text = f"which roles there were is not known: {one_line(back.newest.no_roles)}"
        do = "look at that file; the role of each owner must be there before this is run"
        yield Finding(severity="attention", text=text, source=JOB, do=do)


def _rights(back: DatabaseRestore) -> str:
    """Whose rights the code in the dump has while it is restored."""
    if back.superuser:
        return (
            "asked for by --as-superuser: all code in it (checks, domains, index expressions), whoever wrote it, "
            "runs as the account of the database server"
        )
    if back.supers:
        names = ", ".join(map(one_line, back.supers))
        return f"what belongs to {names} is restored with a superuser's rights, all else with those of its owner alone"
    return "each thing in it is restored with the rights of its owner alone, never with those of a superuser"


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
    old = _with(name, "_before_", now)
    return old if old != new else _with(name, "_before_", now + timedelta(seconds=1))


def _with(name: str, word: str, now: datetime) -> str:
    # Small letters and no dashes: who types it need not quote it.
    tail = f"{word}{now.astimezone(UTC):%Y%m%d_%H%M%S}"
    return name.encode()[: MOST_BYTES - len(tail)].decode(errors="ignore") + tail
