"""The verbs that only ask: what the stores hold, where a file is, what differs, what to restore."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from runner.engine.asking import LONGEST, ask, ask_lines
from runner.jobs.history import heads
from runner.jobs.snapshots.lost import gone
from runner.jobs.snapshots.when import moment_of, pick
from runner.model.errors import FactsIncomplete, RunnerError, UsageError
from runner.model.facts import Facts, Probe, Snapshot, StoreFacts
from runner.model.plan import Plan
from runner.model.site import Site, Store
from runner.model.text import remedied
from runner.tools import agent
from runner.verbs.app import App


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """A store and what was read of it: `error` says why nothing was, `gone` what it has no more, `history` its head."""

    store: Store
    contents: StoreFacts | None
    error: str = ""
    gone: str = ""
    history: str = ""

    @property
    def sealed(self) -> tuple[Snapshot, ...]:
        """Its sealed snapshots, oldest first."""
        return self.contents.sealed if self.contents else ()

    @property
    def usable(self) -> StoreFacts | None:
        """What was found where it can be used; else what was measured may be what is below its mount point."""
        return None if self.error else self.contents

    @property
    def facts(self) -> StoreFacts:
        """What was found; FactsIncomplete where it could not be read."""
        if self.contents is None:
            raise FactsIncomplete(f"store {self.store.name} cannot be read: {self.error}")
        return self.contents


def holdings(app: App, names: Sequence[str] = ()) -> tuple[Holding, ...]:
    """What these stores hold (all, where none is named); one that cannot be read says why."""
    return gathered(app, names)[0]


def gathered(
    app: App, names: Sequence[str], more: Sequence[str] = (), probes: Sequence[Probe] = ()
) -> tuple[tuple[Holding, ...], Facts]:
    """As `holdings`, with the facts of their hosts and of those in `more`, which are asked for `probes` too."""
    known = {store.name: store for store in app.site.stores}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no store '{name}'", do=f"the stores are: {', '.join(sorted(known))}")
    stores = [store for store in app.site.stores if not names or store.name in names]
    facts = app.gather(tuple(dict.fromkeys([*(store.host for store in stores), *more])), probes)
    return tuple(_holding(app.site, store, facts) for store in stores), facts


def _holding(site: Site, store: Store, facts: Facts) -> Holding:
    if (host := facts.hosts[store.host]).error:
        error = remedied(f"{store.host} cannot be read: {host.error}", host.do)
        return Holding(store=store, contents=None, error=error)
    contents = host.stores[store.name]
    missed, past = None if contents.problem else gone(site, store, facts), heads.shown(store, facts)
    lost = missed.text if missed else ""
    return Holding(store=store, contents=contents, error=contents.problem, gone=lost, history=past)


def find(app: App, path: str, names: Sequence[str]) -> tuple[list[tuple[Store, agent.Versions]], dict[str, str]]:
    """Every distinct version of `path` (absolute, as on its host) in each of these stores, oldest first.

    Also the stores that could not be read, each with the reason: one hides no other.
    """
    absolute(path)
    versions, unread = [], {}
    for holding in holdings(app, names):
        try:
            answer = versions_of(app, holding, {"path": path}) if holding.sealed else None
        except RunnerError as error:
            unread[holding.store.name] = error.text
            continue
        if holding.error:
            unread[holding.store.name] = holding.error
        if answer and answer.versions:
            versions.append((holding.store, answer))
    return versions, unread


@dataclass(frozen=True, kw_only=True, slots=True)
class Matches:
    """What of a snapshot of `store` matches a pattern."""

    store: Store
    snapshot: str
    answer: agent.NamesFound


def search(app: App, pattern: str, names: Sequence[str], when: str) -> tuple[list[Matches], dict[str, str]]:
    """What matches `pattern` in the snapshot of `when` of each of these stores; and the stores that could not be read.

    UsageError where no store has a snapshot of that time.
    """
    matches, unread, reasons = [], {}, []
    for holding in holdings(app, names):
        if holding.error:
            unread[holding.store.name] = holding.error
            continue
        chosen = _pick(app, holding, when) if holding.sealed else "no snapshot yet"
        if not isinstance(chosen, Snapshot):
            reasons.append(f"store {holding.store.name}: {chosen}")
            continue
        try:
            verb = agent.search(holding.facts.path, chosen.name)
            matching = ask(app.transports[holding.store.host], verb, {"pattern": pattern}, within=LONGEST)
            answer = agent.sure(matching, agent.NamesFound)
        except RunnerError as error:
            unread[holding.store.name] = error.text
            continue
        matches.append(Matches(store=holding.store, snapshot=chosen.name, answer=answer))
    if reasons and not matches and not unread:
        raise UsageError("; ".join(reasons), do="runner snapshots lists what there is")
    return matches, unread


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two snapshots of one store to compare, below `path`."""

    holding: Holding
    older: Snapshot
    newer: Snapshot
    path: str = "/"


def pair(app: App, ends: tuple[str, str], name: str, path: str) -> Pair:
    """The two snapshots a person means, in the one store that has them."""
    absolute(path)
    held = holdings(app, (name,) if name else ())
    reasons = []
    for holding in held:
        chosen = [_pick(app, holding, when) for when in ends]
        if all(isinstance(snapshot, Snapshot) for snapshot in chosen):
            first, second = (snapshot for snapshot in chosen if isinstance(snapshot, Snapshot))
            return Pair(holding=holding, older=first, newer=second, path=path)
        reasons += [f"store {holding.store.name}: {next(why for why in chosen if isinstance(why, str))}"]
    if unread := "; ".join(f"store {holding.store.name}: {holding.error}" for holding in held if holding.error):
        raise FactsIncomplete(unread)
    raise UsageError("; ".join(reasons) or "there is no store", do="runner snapshots lists what there is")


def diff(app: App, snapshots: Pair, heard: Callable[[agent.SnapshotDifference | Mapping[str, int]], None]) -> None:
    """Tell `heard` of each name that differs, in order, and last the counts."""
    verb = agent.diff(snapshots.holding.facts.path, snapshots.older.name, snapshots.newer.name)
    transport = app.transports[snapshots.holding.store.host]
    counted = False

    def hear(line: Mapping[str, Any]) -> None:
        nonlocal counted
        change = agent.difference(line)
        counted = isinstance(change, Mapping)
        heard(change)

    ask_lines(transport, verb, {"path": snapshots.path}, hear)
    if not counted:
        raise FactsIncomplete(f"{transport.host}: its answer ended before the counts, so there may be more differences")


def exceptions(app: App, holding: Holding, snapshot: str) -> agent.SnapshotRecord:
    """The whole record of a snapshot, with what could not be read."""
    try:
        verb = agent.record(holding.facts.path, snapshot)
        return agent.sure(ask(app.transports[holding.store.host], verb, {}), agent.SnapshotRecord)
    except FactsIncomplete as error:
        path = f"{holding.facts.path}/.runner/records/{snapshot}.json"
        text = f"the record of {snapshot} cannot be understood: {path} on {holding.store.host}"
        raise FactsIncomplete(text, do="it is empty or damaged: look at that disk (dmesg, smartctl -a)") from error


def unique(app: App, holding: Holding) -> Mapping[str, tuple[int, int]]:
    """What each snapshot but the newest has for itself alone: bytes and inodes. Walks every one of them."""
    transport, path = app.transports[holding.store.host], holding.facts.path
    gains = {}
    for snapshot in holding.sealed[:-1]:
        gains[snapshot.name] = agent.gain(ask(transport, agent.freed(path, snapshot.name), {}, within=LONGEST))
    return gains


def pinning(app: App, when: str, store: str, until: str, why: str) -> Plan:
    """The plan that pins the snapshot of `when` until the end of day `until`, or releases it where that is "".

    UsageError where there is no such snapshot.
    """
    from runner.jobs.retention import pin as pinned

    held, facts = gathered(app, (store,) if store else ())
    end = moment_of(until, zone=app.site.timezone, now=facts.at) if until else None
    if until and (end is None or end <= facts.at):
        raise UsageError(f"'{until}' is no day that is to come", do="write it as 2027-01-31")
    if end and not why.strip():
        raise UsageError("a pin needs a reason", do='give one for whoever finds the pin later: --why "..."')
    reasons = []
    for holding in held:
        chosen = _pick(app, holding, when)
        if isinstance(chosen, Snapshot) and holding.contents:
            pin = pinned.PinRequest(store=holding.store, name=chosen.name, until=end, why=why)
            return app.plan_of(pinned.draft(app.site, pin, holding.contents, facts.at), facts)
        reasons.append(f"store {holding.store.name}: {holding.error or chosen}")
    raise missing(held)("; ".join(reasons), do="runner snapshots lists what there is")


def versions_of(app: App, holding: Holding, question: Mapping[str, str]) -> agent.Versions:
    """What `find` answers of that store; raises RunnerError."""
    verb = agent.find(holding.facts.path)
    return agent.sure(ask(app.transports[holding.store.host], verb, question, within=LONGEST), agent.Versions)


def _pick(app: App, holding: Holding, when: str) -> Snapshot | str:
    return pick(holding.sealed, when, zone=app.site.timezone, now=app.now())


def missing(held: Sequence[Holding]) -> type[RunnerError]:
    """What it is that a snapshot was not found in these: where one could not be read, it may well be there."""
    return FactsIncomplete if any(holding.error for holding in held) else UsageError


def absolute(path: str) -> str:
    """The path, if it is one from the root; UsageError else."""
    pure = PurePosixPath(path)
    if not pure.is_absolute() or ".." in pure.parts:
        raise UsageError(f"'{path}' is not an absolute path", do="write it as it is on its host, from the first /")
    return str(pure)


def as_json(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain values, and times."""
    return asdict(snapshot)
