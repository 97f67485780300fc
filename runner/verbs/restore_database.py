"""What `restore-db` asks before it plans: which dump, whether the server can take it, whom a swap interrupts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from runner.engine.asking import ask
from runner.jobs.database import agent, restore
from runner.jobs.database import swap as swap_db
from runner.jobs.database.agent import DumpFits, NewestDump, Swap, SwapStanding
from runner.jobs.database.dump import server_of
from runner.jobs.database.restore import DumpPlace
from runner.jobs.snapshots.when import pick
from runner.model.errors import FactsIncomplete, PlanRefused, RunnerError, UsageError
from runner.model.facts import Facts, Snapshot
from runner.model.kind import Draft
from runner.model.plan import Argv, Plan, Skip
from runner.model.site import Job
from runner.tools import answers
from runner.verbs.app import App

Answer = TypeVar("Answer", bound=tuple[Any, ...])


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseRequest:
    """Which database a person wants back: of `when` ("": the newest dump), as `into` ("": a name with the time).

    `job` is the dump job, "" where there is one only; `globals`: roles that are missing are made first. `superuser`:
    all of it is restored with a superuser's rights.
    """

    name: str
    when: str = ""
    into: str = ""
    job: str = ""
    globals: bool = False
    superuser: bool = False


def restoring(app: App, back: DatabaseRequest) -> Plan:
    """The plan that gets it back. UsageError for what is not there, PlanRefused for what cannot be restored."""
    job = _job(app, back.job)
    keepers = [place.host for place in app.site.stores] if back.when else []
    facts = app.gather(tuple(dict.fromkeys([job.host, *keepers])))
    into = back.into or restore.restored(back.name, facts.at)
    for name in (back.name, into):
        if wrong := agent.unfit(name):
            raise UsageError(f"no database can be called {name!r}: {wrong}", do="take another name")
    if not app.site.live:
        return _nothing(app, facts, restore.JOB, restore.SANDBOX)
    _require(facts, job.host)
    place, newest = _in_snapshot(app, back, job, facts) if back.when else (None, _newest(app, back.name, job))
    roles = newest.globals.roles if newest.globals and back.globals else ()
    fits = _ask(app, job.host, agent.fits(server_of(job), into, roles), newest.record._asdict(), DumpFits)
    wanted = restore.DatabaseRestore(
        job=job,
        name=back.name,
        into=into,
        newest=newest,
        place=place,
        bring=fits.bring,
        left=fits.left,
        supers=fits.supers,
        superuser=back.superuser,
    )
    return app.plan_of(restore.draft(app.site, wanted, facts, facts.at), facts)


def swapping(app: App, new: str, name: str, job_name: str = "") -> Plan:
    """The plan that puts `new` in the place of `name`. UsageError or PlanRefused where that cannot be."""
    job = _job(app, job_name)
    for database in (new, name):
        if wrong := agent.unfit(database):
            raise UsageError(f"no database can be called {database!r}: {wrong}", do="see --swap NEWNAME NAME")
    facts = app.gather((job.host,))
    if not app.site.live:
        return _nothing(app, facts, swap_db.JOB, restore.SANDBOX)
    _require(facts, job.host)
    swap = Swap(name=name, new=new, before=restore.before(name, new, facts.at))
    standing = _ask(app, job.host, agent.standing(server_of(job), swap), {}, SwapStanding)
    wanted = swap_db.DatabaseSwap(job=job, swap=swap, standing=standing)
    return app.plan_of(swap_db.draft(app.site, wanted, facts.at), facts)


def _job(app: App, name: str) -> Job:
    jobs = {job.name: job for job in app.site.jobs if job.kind == "dump"}
    if name in jobs or (not name and len(jobs) == 1):
        return jobs[name] if name else next(iter(jobs.values()))
    known = ", ".join(sorted(jobs))
    if name:
        raise UsageError(f"there is no dump job '{name}'", do=f"the dump jobs are: {known or 'none yet'}")
    if jobs:
        raise UsageError("there is more than one dump job", do=f"say which with --job: {known}")
    raise UsageError("jobs.toml has no job of kind dump", do="see docs/jobs.md")


def _newest(app: App, name: str, job: Job) -> NewestDump:
    return _ask(app, job.host, agent.newest(job.options.to, "/"), {"database": name}, NewestDump)


def _in_snapshot(app: App, back: DatabaseRequest, job: Job, facts: Facts) -> tuple[DumpPlace, NewestDump]:
    """The snapshot of that time that has a dump of it, and the newest dump in it."""
    problems: list[str] = []
    for place in _snapshots(app, back, job, facts, problems):
        store, snapshot = place
        argv = agent.newest(f"{facts.hosts[store.host].stores[store.name].path}/{snapshot.name}", job.options.to)
        try:
            return place, _ask(app, store.host, argv, {"database": back.name}, NewestDump)
        except PlanRefused as error:
            problems.append(f"{snapshot.name} of store {store.name}: {error.text}")
    raise UsageError("; ".join(problems) or "there is no store", do=f"runner find {job.options.to} lists what there is")


def _snapshots(app: App, back: DatabaseRequest, job: Job, facts: Facts, problems: list[str]) -> Iterator[DumpPlace]:
    for store in app.site.stores:
        host = facts.hosts[store.host]
        listed = None if host.error else host.stores[store.name]
        own = tuple(snapshot for snapshot in (listed.sealed if listed else ()) if snapshot.host == job.host)
        chosen = pick(own, back.when, zone=app.site.timezone, now=facts.at)
        if isinstance(chosen, Snapshot):
            yield DumpPlace(store, chosen)
        else:
            problems.append(f"store {store.name}: {host.error or (listed.problem if listed else '') or chosen}")


def _ask(app: App, host: str, argv: Argv, question: Mapping[str, Any], contract: type[Answer]) -> Answer:
    try:
        answer = answers.read(ask(app.transports[host], argv, question), contract)
    except RunnerError as error:
        raise PlanRefused(error.text, do=error.do) from None
    if answer is None:
        raise PlanRefused(f"the answer of {host} to {argv[0]} cannot be read", do=f"see what runs as root on {host}")
    return answer


def _require(facts: Facts, host: str) -> None:
    if facts.hosts[host].error:
        raise FactsIncomplete(f"{host} cannot be read: {facts.hosts[host].error}", do=facts.hosts[host].do)


def _nothing(app: App, facts: Facts, job: str, why: str) -> Plan:
    return app.plan_of(Draft(skip=Skip(job=job, reason=why)), facts)
