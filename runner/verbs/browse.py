"""The verbs that only ask: what the stores hold, where a file is, what differs, what to restore."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from runner.engine.probe import ask, ask_lines
from runner.jobs.retention import pin as pinned
from runner.jobs.snapshots import restore
from runner.jobs.snapshots.filesystems import scaffold
from runner.jobs.snapshots.when import moment_of, pick
from runner.model.errors import FactsIncomplete, UsageError
from runner.model.facts import Facts, Snapshot, StoreFacts
from runner.model.plan import Command, Plan, PlannedJob
from runner.model.site import Store
from runner.tools import agent, rsync
from runner.verbs.app import App


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """A store and what was found in it; `error` says why nothing was."""

    store: Store
    found: StoreFacts | None
    error: str = ""

    @property
    def sealed(self) -> tuple[Snapshot, ...]:
        """Its sealed snapshots, oldest first."""
        return self.found.sealed if self.found else ()

    @property
    def facts(self) -> StoreFacts:
        """What was found; FactsIncomplete where it could not be read."""
        if self.found is None:
            raise FactsIncomplete(f"store {self.store.name} cannot be read: {self.error}")
        return self.found


def holdings(app: App, names: Sequence[str] = ()) -> tuple[Holding, ...]:
    """What these stores hold (all, where none is named); one that cannot be read says why."""
    return _holdings(app, names)[0]


def _holdings(app: App, names: Sequence[str], more: Sequence[str] = ()) -> tuple[tuple[Holding, ...], Facts]:
    known = {store.name: store for store in app.site.stores}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no store '{name}'", do=f"the stores are: {', '.join(sorted(known))}")
    wanted = [store for store in app.site.stores if not names or store.name in names]
    facts = app.gather(tuple(dict.fromkeys([*(store.host for store in wanted), *more])))
    return tuple(_holding(store, facts) for store in wanted), facts


def _holding(store: Store, facts: Facts) -> Holding:
    host = facts.hosts[store.host]
    if host.error:
        return Holding(store=store, found=None, error=f"{store.host} cannot be read: {host.error}")
    found = host.stores[store.name]
    return Holding(store=store, found=found, error=found.problem)


def find(app: App, path: str, held: Sequence[Holding]) -> Iterator[tuple[Holding, agent.Versions]]:
    """Every distinct version of `path` (absolute, as on its host) in each of these stores, oldest first."""
    _absolute(path)
    for holding in held:
        if holding.found is None or not holding.sealed:
            continue
        answer = _find(app, holding, {"path": path})
        if answer.versions:
            yield holding, answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two snapshots of one store to compare, below `path`."""

    holding: Holding
    older: Snapshot
    newer: Snapshot
    path: str = "/"


def pair(app: App, ends: tuple[str, str], name: str, path: str) -> Pair:
    """The two snapshots a person means, in the one store that has them."""
    _absolute(path)
    for holding in holdings(app, (name,) if name else ()):
        chosen = [_pick(app, holding, when) for when in ends]
        if all(isinstance(one, Snapshot) for one in chosen):
            first, second = (one for one in chosen if isinstance(one, Snapshot))
            return Pair(holding=holding, older=first, newer=second, path=path)
    raise UsageError(f"no store has both '{ends[0]}' and '{ends[1]}'", do="runner snapshots lists what there is")


def diff(app: App, wanted: Pair, heard: Callable[[agent.SnapshotDifference | Mapping[str, int]], None]) -> None:
    """Tell `heard` of each name that differs, in order, and last the counts."""
    verb = agent.diff(wanted.holding.facts.path, wanted.older.name, wanted.newer.name)
    transport = app.transports[wanted.holding.store.host]
    ask_lines(transport, verb, {"path": wanted.path}, lambda line: heard(agent.difference(line)))


def exceptions(app: App, holding: Holding, snapshot: str) -> agent.SnapshotRecord:
    """The whole record of a snapshot, with what could not be read."""
    verb = agent.record(holding.facts.path, snapshot)
    return agent.snapshot_record(ask(app.transports[holding.store.host], verb, {}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Back:
    """What a person wants back: `path` of `host`, as of `when`, into folder `to` ("" for a side folder)."""

    host: str
    path: str
    when: str = "latest"
    to: str = ""
    store: str = ""


def restoring(app: App, back: Back) -> Plan:
    """The plan that gets it back; UsageError or FactsIncomplete where it cannot be had."""
    path = _absolute(back.path)
    if back.to:
        _absolute(back.to)
    if back.host not in {host.name for host in app.site.hosts}:
        names = ", ".join(host.name for host in app.site.hosts)
        raise UsageError(f"there is no host '{back.host}' in jobs.toml", do=f"the hosts are: {names}")
    found, facts = _holdings(app, (back.store,) if back.store else (), (back.host,))
    if facts.hosts[back.host].error:
        raise FactsIncomplete(f"{back.host} cannot be read: {facts.hosts[back.host].error}")
    said: list[str] = []
    for holding in found:
        own = tuple(one for one in holding.sealed if one.host == back.host)
        if not own:
            said += [f"store {holding.store.name}: {holding.error}"] if holding.error else []
            continue
        chosen = pick(own, back.when, zone=app.site.timezone, now=facts.at)
        if isinstance(chosen, str):
            said.append(f"store {holding.store.name}: {chosen}")
            continue
        if not _has(app, holding, path, chosen.name):
            said.append(f"{chosen.name} of store {holding.store.name} has no {path}")
            continue
        wanted = restore.RestoreRequest(host=back.host, path=path, store=holding.store, snapshot=chosen, to=back.to)
        return app.plan_of(restore.draft(app.site, wanted, facts, facts.at), facts)
    raise UsageError(
        "; ".join(said) or f"no store has a snapshot of {back.host}",
        do=f"runner find {path} lists every version there is",
    )


def unique(app: App, holding: Holding) -> Mapping[str, tuple[int, int]]:
    """What each snapshot but the newest has for itself alone: bytes and inodes. Walks every one of them."""
    transport, path = app.transports[holding.store.host], holding.facts.path
    found = {}
    for snapshot in holding.sealed[:-1]:
        (gain,) = agent.gains(ask(transport, agent.freed(path, snapshot.name), {}))
        found[snapshot.name] = (gain.bytes, gain.inodes)
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """What a person wants kept: the snapshot of `when`, until the end of day `until` ("": no longer)."""

    when: str
    store: str
    until: str
    why: str


def pinning(app: App, keep: Keep) -> Plan:
    """The plan that pins a snapshot, or lets it go again; UsageError where it cannot be found."""
    found, facts = _holdings(app, (keep.store,) if keep.store else ())
    until = moment_of(keep.until, zone=app.site.timezone, now=facts.at) if keep.until else None
    if keep.until and (until is None or until <= facts.at):
        raise UsageError(f"'{keep.until}' is not a day to come", do="write it as 2027-01-31")
    if until and not keep.why.strip():
        raise UsageError("a pin needs a reason", do='say it for whoever finds it later: --why "..."')
    said = []
    for holding in found:
        chosen = _pick(app, holding, keep.when)
        if isinstance(chosen, Snapshot) and holding.found:
            pin = pinned.PinRequest(store=holding.store, name=chosen.name, until=until, why=keep.why)
            return app.plan_of(pinned.draft(app.site, pin, holding.found, facts.at), facts)
        said.append(f"store {holding.store.name}: {holding.error or chosen}")
    raise UsageError("; ".join(said), do="runner snapshots lists what there is")


def exactly(app: App, plan: Plan) -> Plan:
    """The plan with its snapshots' forecasts counted by a dry run of each transfer; reads only."""
    return replace(plan, jobs=tuple(_counted(app, plan, job) if job.writes else job for job in plan.jobs))


def _counted(app: App, plan: Plan, job: PlannedJob) -> PlannedJob:
    foreseen = rsync.Foreseen()
    for step in plan.steps:
        if step.job == job.name and step.keep_output_as and isinstance(step.action, Command):
            argv = rsync.foresee(step.action.argv)
            if not argv:
                return job
            result = app.transports[step.host].run(argv, timeout=step.timeout, sink=foreseen.hear)
            if result.exit not in rsync.PARTIAL_OK:
                return job
    around = scaffold(_mounts(plan, job))
    size = foreseen.bytes + around * rsync.BLOCK
    counted = replace(job.forecast, bytes=size, files=foreseen.inodes + around, exact=True)
    return replace(job, forecast=counted)


def _mounts(plan: Plan, job: PlannedJob) -> tuple[str, ...]:
    begun = (step.action.argv for step in plan.steps if step.job == job.name and isinstance(step.action, Command))
    return next((argv[argv.index("--") + 1 :] for argv in begun if argv[1:2] == ("begin",)), ())


def _has(app: App, holding: Holding, path: str, snapshot: str) -> bool:
    return bool(_find(app, holding, {"path": path, "snapshot": snapshot}).versions)


def _find(app: App, holding: Holding, question: Mapping[str, str]) -> agent.Versions:
    return agent.versions(ask(app.transports[holding.store.host], agent.find(holding.facts.path), question))


def _pick(app: App, holding: Holding, when: str) -> Snapshot | str:
    if when == "previous" and len(holding.sealed) > 1:
        return holding.sealed[-2]
    return pick(holding.sealed, when, zone=app.site.timezone, now=app.now())


def _absolute(path: str) -> str:
    pure = PurePosixPath(path)
    if not pure.is_absolute() or ".." in pure.parts:
        raise UsageError(f"'{path}' is not an absolute path", do="write it as it is on its host, from the first /")
    return str(pure)


def as_json(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain values."""
    values: dict[str, Any] = json.loads(
        json.dumps({name: getattr(snapshot, name) for name in Snapshot.__slots__}, default=str)
    )
    return values
