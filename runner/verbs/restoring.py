"""What `restore` asks before it plans: which store has it as of that time, and what it is there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from runner.jobs.snapshots.when import pick
from runner.model.errors import FactsIncomplete, RunnerError, UsageError
from runner.model.plan import Plan
from runner.model.site import Site
from runner.verbs.app import App
from runner.verbs.browse import Holding, absolute, gathered, missing, versions_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a person wants back: `path` of `host` as of `when`, into the folder `to` ("": a side folder), from `store`.

    `with_rights`: as RestoreRequest has it.
    """

    host: str
    path: str
    when: str = "latest"
    to: str = ""
    store: str = ""
    with_rights: bool = False


def restoring(app: App, wanted: Wanted) -> Plan:
    """The plan that restores it. UsageError or FactsIncomplete where that cannot be done."""
    from runner.jobs.snapshots import restore
    from runner.jobs.snapshots.route import RestoreRequest

    host, when, store = wanted.host, wanted.when, wanted.store
    path, _ = absolute(wanted.path), wanted.to and absolute(wanted.to)
    if host not in (names := [declared.name for declared in app.site.hosts]):
        raise UsageError(f"there is no host '{host}' in jobs.toml", do=f"the hosts are: {', '.join(names)}")
    probes = restore.probes(app.site, host, path, when, store)
    held, facts = gathered(app, (store,) if store else (), (host,), probes)
    if facts.hosts[host].error:
        raise FactsIncomplete(f"{host} cannot be read: {facts.hosts[host].error}", do=facts.hosts[host].do)
    reasons: list[str] = []
    for holding in held:
        own = tuple(snapshot for snapshot in holding.sealed if snapshot.host == host)
        if not own:
            reasons += [f"store {holding.store.name}: {holding.error}"] if holding.error else []
            continue
        chosen = pick(own, when, zone=app.site.timezone, now=facts.at)
        if isinstance(chosen, str):
            reasons.append(f"store {holding.store.name}: {chosen}")
            continue
        kind = restore.seen(facts, holding.store, chosen) or _kind(app, holding, path, chosen.name)
        if not kind:
            reasons.append(f"{chosen.name} of store {holding.store.name} has no {path}")
            continue
        request = RestoreRequest(
            host=host,
            path=path,
            store=holding.store,
            snapshot=chosen,
            to=wanted.to,
            is_folder=kind == restore.FOLDER,
            with_rights=wanted.with_rights,
        )
        return app.plan_of(restore.draft(app.site, request, facts, facts.at), facts)
    if not reasons:
        raise _none_yet(app.site, held, host, store)
    raise missing(held)("; ".join(reasons), do=f"runner find {path} lists every version there is")


def _none_yet(site: Site, held: Sequence[Holding], host: str, store: str) -> RunnerError:
    """No snapshot of `host` is in any of these, which are all there are where `store` names none."""
    every = [job for job in (*site.jobs, *site.elsewhere) if job.kind == "snapshot" and job.host == host]
    makers = [job for job in every if store in ("", job.options.store)]
    text = f"store {store} has no snapshot of {host}" if store else f"no store has a snapshot of {host} yet"
    if not every:
        return missing(held)(text, do="jobs.toml has no job that makes one")
    if not makers:
        others = " and ".join(dict.fromkeys(job.options.store for job in every))
        return missing(held)(text, do=f"ask without --store: its snapshots go to {others}")
    # One command, for one machine: this one, if it makes any.
    there = "" if makers[0] in site.jobs else makers[0].runs_on
    names = [job.name for job in makers if (job in site.jobs) == (not there) and there in ("", job.runs_on)]
    command = shlex.join(("runner", "run", *names))
    return missing(held)(text, do=f"make one on {there}:" if there else "make one:", command=command)


def _kind(app: App, holding: Holding, path: str, snapshot: str) -> str:
    """What the path is in that snapshot, "" where it is not there."""
    versions = versions_of(app, holding, {"path": path, "snapshot": snapshot}).versions
    return versions[0].type if versions else ""
