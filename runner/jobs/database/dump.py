"""Kind `dump`: every database of a server as a file that PostgreSQL's own programs restore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from runner.agent.database.contract import Databases, DatabaseServer, DatabaseTrouble, DumpListing, DumpRow, encoded
from runner.jobs.bundled import Bundled
from runner.jobs.database import agent, dump_findings
from runner.jobs.database.agent import Into
from runner.jobs.database.report import dumped
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.names import next_snapshot_name, plan_id
from runner.model.options import DumpOptions
from runner.model.plan import Argv, Check, Command, Effect, Finding, Lock, PlannedJob, Skip, Step
from runner.model.role import Role
from runner.model.site import Host, Job, Site
from runner.model.text import count, one_line
from runner.tools import agent as store
from runner.tools import detached

SERVER, FOLDER = "dump.server", "dump.folder"
# The dump, reading it again, and waiting for locks before it.
_MARGIN = 3600
# A database that could not be dumped ends 1, keeps no other from being dumped, and is missed at the end.
_EITHER = (0, 1)
_EFFECTS = {
    Role.INSTANT: Effect.READ,
    Role.ANSWERS: Effect.READ,
    Role.ALL: Effect.READ,
    Role.EXPIRE_DUMP: Effect.EXPIRE,
}
# How a step is called where that is not its role.
_WORDS = {Role.EXPIRE_DUMP: "expire"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _DumpWork:
    """What all steps of a job have in common. `names` are the databases to dump: `every` one, or what is left."""

    job: Job
    host: Host
    into: Into
    names: tuple[str, ...]
    every: bool

    @property
    def options(self) -> DumpOptions:
        options: DumpOptions = self.job.options
        return options

    @property
    def within(self) -> int:
        return int(self.options.timeout.total_seconds())

    def step(self, role: Role, argv: Argv, why: str, name: str = "", suffix: str = "") -> Step:
        """A step about the database `name`. One that writes may fail, which keeps no other from its turn."""
        effect = _EFFECTS.get(role, Effect.WRITE)
        step = Step(
            id=f"{self.job.name}/{'-'.join(filter(None, (_WORDS.get(role, role), encoded(name), suffix)))}",
            role=role,
            subject=one_line(name),
            job=self.job.name,
            host=self.host.name,
            action=Command(argv=argv),
            effect=effect,
            why=why,
        )
        return replace(step, ok_codes=_EITHER, timeout=2 * self.within + _MARGIN) if effect == Effect.WRITE else step


class DumpKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "dump"
    options = DumpOptions
    report = staticmethod(dumped)

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """Which databases the server has, and which dumps there are; nobody is asked in the sandbox."""
        if not site.live:
            return ()
        return (
            Probe(id=f"{SERVER}.{job.name}", host=job.host, argv=agent.databases(server_of(job)), timeout=60),
            Probe(id=f"{FOLDER}.{job.name}", host=job.host, argv=agent.dumps(job.options.to), timeout=60),
        )

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """One step a database, each for itself; what is old goes last, where there is a new one.

        A server that does not answer is asked once more by the plan, for the databases it had last time.
        """
        if not site.live:
            return Draft(skip=Skip(job=job.name, reason="the sandbox has no database"))
        server = agent.read_databases(facts.reading(job.host, f"{SERVER}.{job.name}"))
        folder = agent.read_dumps(facts.reading(job.host, f"{FOLDER}.{job.name}"))
        if isinstance(folder, DatabaseTrouble):
            return _skip(job, dump_findings.unreadable(job, folder))
        names = _names(job.options, server, folder)
        times = [dump.time for dumps in folder.databases.values() for dump in dumps]
        at = next_snapshot_name(now, [*folder.globals, *times])
        if wrong := dump_findings.unable(job, server, names):
            return _skip(job, wrong)
        if at is None:
            return _skip(job, dump_findings.wrong_clock(job))
        host = site.host(job.host)
        instant = job.instant.isoformat() if job.instant else ""
        into = Into(
            program=store.program(host),
            to=job.options.to,
            at=at,
            server=server_of(job),
            job=job.name if instant else "",
            instant=instant,
        )
        left = tuple(name for name in names if not _made(job, folder, name))
        every = not job.options.databases and left == names
        draft = _draft(site, _DumpWork(job=job, host=host, into=into, names=left, every=every), folder, now)
        made = dump_findings.made(job, len(names) - len(left))
        old = dump_findings.restored(job, server, folder, now, site.restored_keep)
        return replace(draft, findings=(*dump_findings.findings(job, server, folder, names), *old, *made))

    def done(self, site: Site, job: Job, facts: Facts) -> Skip | None:
        """See Beyond: a dump of each database and the roles, made for the job's instant."""
        server = agent.read_databases(facts.reading(job.host, f"{SERVER}.{job.name}"))
        folder = agent.read_dumps(facts.reading(job.host, f"{FOLDER}.{job.name}"))
        if isinstance(folder, DatabaseTrouble):
            return None
        made = [_made(job, folder, name) for name in _names(job.options, server, folder)]
        times = sorted(dump.time for dump in made if dump)
        if not all(made) or not set(times) & set(folder.globals):
            return None
        at = max((dump.at for dump in made if dump and dump.at), default=None)
        return Skip(job=job.name, reason=f"{count(len(made), 'database')} and the roles are dumped", done=at)


def _made(job: Job, folder: DumpListing, name: str) -> DumpRow | None:
    """The dump of a database that the job has made for its instant."""
    rows = folder.databases.get(name, ()) if job.instant else ()
    return next((row for row in rows if (row.job, row.instant) == (job.name, job.instant)), None)


def _skip(job: Job, finding: Finding) -> Draft:
    return Draft(skip=Skip(job=job.name, reason=finding.text), findings=(finding,))


def server_of(job: Job) -> DatabaseServer:
    """The server of a `dump` job, for other kinds as well."""
    options: DumpOptions = job.options
    return DatabaseServer(
        user=options.user,
        socket=options.socket,
        service=options.service,
        service_file=options.service_file,
        programs=options.programs,
    )


def _names(options: DumpOptions, server: Databases | DatabaseTrouble, folder: DumpListing) -> tuple[str, ...]:
    """The databases to dump: those of the job that the server has, or had last time where it does not answer."""
    if isinstance(server, DatabaseTrouble):
        return options.databases or tuple(sorted(name for name, dumps in folder.databases.items() if dumps))
    scratch = dump_findings.scratch(options, server, folder)
    names = (database.name for database in server.databases if database not in scratch)
    return tuple(name for name in names if name in options.databases or not options.databases)


def _draft(site: Site, work: _DumpWork, folder: DumpListing, now: datetime) -> Draft:
    job, into, names = work.job, work.into, work.names
    lock = Lock(
        resource=f"dumps of {job.host}",
        host=job.host,
        argv=detached.hold_host(into.program, "dump", plan_id(now), f"{job.name} of {site.controller}"),
    )
    everything = agent.all_dumped(into, names, every=work.every)
    why = "no other run has dumped these for this time meanwhile"
    due = (work.step(Role.INSTANT, agent.not_dumped(into, names), why),) if into.instant and names else ()
    steps = (
        *due,
        work.step(Role.ANSWERS, agent.databases(into.server, into.program), "see that the server answers"),
        work.step(Role.GLOBALS, agent.dump_globals(into, within=600), "keep the roles, which no database has"),
        *(_dump(work, name) for name in names),
        *(step for name in (*names, "") for step in _expire(work, name, folder, now)),
        work.step(Role.ALL, everything, "see that no dump is missing"),
    )
    planned = PlannedJob(name=job.name, kind="dump", after=job.after, locks=(lock,), since=_last(folder, names))
    return Draft(planned=planned, steps=steps)


def _dump(work: _DumpWork, name: str) -> Step:
    argv = agent.dump(work.into, name, within=work.within, max_shrink=work.options.max_shrink)
    return work.step(Role.DUMP, argv, f"dump {one_line(name)}, and read the dump again", name)


def _expire(work: _DumpWork, name: str, folder: DumpListing, now: datetime) -> Iterator[Step]:
    """The old dumps of a database, of the roles where it is "", by name."""
    options, what = work.options, one_line(name) if name else "the roles"
    times: Sequence[str] = [dump.time for dump in folder.databases.get(name, ())] if name else folder.globals
    spared = Check(
        host=work.host.name,
        argv=agent.dumped(work.into, name),
        field="spared",
        relation="==",
        value=True,
        why=f"{what} has no good dump of this run, or a doubtful one",
    )
    for time in dump_findings.expiring(times, options.keep, options.keep_for, now):
        argv = agent.expire(work.into, time, name, keep=max(options.keep, 1))
        why = f"{what}: older than is kept, and {options.keep} newer ones stay"
        yield replace(work.step(Role.EXPIRE_DUMP, argv, why, name, time), unless=spared)


def _last(folder: DumpListing, names: Sequence[str]) -> datetime | None:
    """When the oldest of the newest good dumps was made; None where one of them has none."""
    newest = [folder.databases[name][-1].at if folder.databases.get(name) else None for name in names]
    known = [at for at in newest if at is not None]
    return min(known) if known and len(known) == len(newest) else None
