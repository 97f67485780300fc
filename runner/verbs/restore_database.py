"""What `restore-db` asks before it plans: which dump, whether the server can take it, whom a swap interrupts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.engine.probe import ask
from runner.jobs.database import agent_restore, restore
from runner.jobs.database import swap as swap_db
from runner.jobs.database.agent_restore import Found, Swap
from runner.jobs.database.dump import reach
from runner.jobs.snapshots.when import pick
from runner.model.errors import FactsIncomplete, PlanRefused, RunnerError, UsageError
from runner.model.facts import Facts, Snapshot
from runner.model.kind import Draft
from runner.model.plan import Argv, Plan, Skip
from runner.model.site import Job, Store
from runner.tools.fields import texts
from runner.verbs.app import App


@dataclass(frozen=True, kw_only=True, slots=True)
class Back:
    """Which database a person wants back: of `when` ("": the newest dump), as `into` ("": a name with the time).

    `job` is the dump job, "" where there is one only; `globals`: roles that are missing are made first.
    """

    name: str
    when: str = ""
    into: str = ""
    job: str = ""
    globals: bool = False


def restoring(app: App, back: Back) -> Plan:
    """The plan that gets it back. UsageError for what is not there, PlanRefused for what cannot be restored."""
    job = _job(app, back.job)
    keepers = [one.host for one in app.site.stores] if back.when else []
    facts = app.gather(tuple(dict.fromkeys([job.host, *keepers])))
    into = back.into or restore.restored(back.name, facts.at)
    for name in (back.name, into):
        if wrong := restore.wrong(name):
            raise UsageError(f"no database can be called {name!r}: {wrong}", do="take another name")
    if not app.site.live:
        return _nothing(app, facts, restore.JOB, restore.SANDBOX)
    _require(facts, job.host)
    kept, found = _kept(app, back, job, facts) if back.when else (None, _newest(app, back.name, job))
    roles = found.globals.roles if found.globals and back.globals else ()
    told = _asked(app, job.host, agent_restore.fits(reach(job), into, roles), found.record)
    wanted = restore.Wanted(
        job=job,
        name=back.name,
        into=into,
        found=found,
        kept=kept,
        bring=texts(told.get("bring")),
        left=texts(told.get("left")),
    )
    return app.plan_of(restore.draft(app.site, wanted, facts, facts.at), facts)


def swapping(app: App, new: str, name: str, job_name: str = "") -> Plan:
    """The plan that puts `new` in the place of `name`. UsageError or PlanRefused where that cannot be."""
    job = _job(app, job_name)
    for one in (new, name):
        if wrong := restore.wrong(one):
            raise UsageError(f"no database can be called {one!r}: {wrong}", do="see --swap NEWNAME NAME")
    facts = app.gather((job.host,))
    if not app.site.live:
        return _nothing(app, facts, swap_db.JOB, restore.SANDBOX)
    _require(facts, job.host)
    swap = Swap(name=name, new=new, before=restore.before(name, new, facts.at))
    told = _asked(app, job.host, agent_restore.standing(reach(job), swap), {})
    wanted = swap_db.Wanted(job=job, swap=swap, standing=agent_restore.parse_standing(told))
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


def _newest(app: App, name: str, job: Job) -> Found:
    argv = agent_restore.newest(job.options.to, "/")
    return agent_restore.parse_newest(_asked(app, job.host, argv, {"database": name}))


def _kept(app: App, back: Back, job: Job, facts: Facts) -> tuple[tuple[Store, Snapshot], Found]:
    """The snapshot of that time that has a dump of it, and the newest dump in it."""
    said: list[str] = []
    for place, snapshot in _snapshots(app, back, job, facts, said):
        root = f"{facts.hosts[place.host].stores[place.name].path}/{snapshot.name}"
        try:
            told = ask(app.transports[place.host], agent_restore.newest(root, job.options.to), {"database": back.name})
        except RunnerError as error:
            said.append(f"{snapshot.name} of store {place.name}: {error.text}")
        else:
            return (place, snapshot), agent_restore.parse_newest(told)
    raise UsageError("; ".join(said) or "there is no store", do=f"runner find {job.options.to} lists what there is")


def _snapshots(app: App, back: Back, job: Job, facts: Facts, said: list[str]) -> Iterator[tuple[Store, Snapshot]]:
    for place in app.site.stores:
        host = facts.hosts[place.host]
        found = None if host.error else host.stores[place.name]
        own = tuple(one for one in (found.sealed if found else ()) if one.host == job.host)
        chosen = pick(own, back.when, zone=app.site.timezone, now=facts.at)
        if isinstance(chosen, Snapshot):
            yield place, chosen
        else:
            said.append(f"store {place.name}: {host.error or (found.problem if found else '') or chosen}")


def _asked(app: App, host: str, argv: Argv, question: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return ask(app.transports[host], argv, question)
    except RunnerError as error:
        raise PlanRefused(error.text, do=error.do) from None


def _require(facts: Facts, host: str) -> None:
    if facts.hosts[host].error:
        raise FactsIncomplete(f"{host} cannot be read: {facts.hosts[host].error}")


def _nothing(app: App, facts: Facts, job: str, why: str) -> Plan:
    return app.plan_of(Draft(skip=Skip(job=job, reason=why)), facts)
