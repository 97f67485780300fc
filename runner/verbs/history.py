"""What a run asks stores about their history, what it makes of that, and what its message says of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from runner.engine.asking import ask
from runner.engine.journal import Journal
from runner.hosts.transport import Transport
from runner.jobs.history import follow, heads
from runner.jobs.history.follow import HistoryBefore, HistoryLook
from runner.model.errors import RunnerError, UsageError
from runner.model.facts import Facts, Probe, StoreFacts
from runner.model.plan import Finding, Plan
from runner.model.role import Phase
from runner.model.site import Site, Store
from runner.model.stored import AcceptedHead, KnownHistory
from runner.verbs.spare import Spare

# Of so many pages a history is followed at once; nobody works that much between two looks.
_PAGES = 50
# So many seconds all the pages of a store may take: no job begins before, and its host may be slow on purpose.
_PATIENCE = 120.0


class HistoryDesk(Protocol):
    """What is needed of the app."""

    site: Site
    spare: Spare | None

    @property
    def journal(self) -> Journal:
        """What was done; RunnerError where it cannot be opened."""

    @property
    def transports(self) -> Mapping[str, Transport]:
        """The ways to the hosts, by name."""

    def now(self) -> datetime:
        """The time, UTC."""

    def gather(self, hosts: Sequence[str], probes: Sequence[Probe] = ()) -> Facts:
        """Read these hosts now."""


class StoresPast:
    """What is known of the stores, and what the last look showed."""

    def __init__(self, desk: HistoryDesk) -> None:
        """Nothing was asked yet."""
        self._desk = desk
        self._before: Mapping[str, HistoryBefore] = {}
        self._proven: dict[str, tuple[KnownHistory, ...]] = {}
        self.looks: Mapping[str, HistoryLook] = {}

    def before(self) -> Mapping[str, HistoryBefore]:
        """What the journal knows now, by the name of the store."""
        site, known = self._desk.site, self._desk.journal.histories.last()
        seen = self._desk.journal.heads
        return {
            store.name: heads.before(
                site, store, known.get(store.name), seen.answered, seen.made(store.disk) if store.disk else None
            )
            for store in site.stores
        }

    def probes(self, hosts: Collection[str], given: Sequence[Probe]) -> tuple[Probe, ...]:
        """These probes, and one for each store of the hosts."""
        # Before they are asked: what a step is answered from now on need not be in their answer.
        self._before = self.before()
        return (*given, *heads.probes(self._desk.site, hosts, self._before))

    def looked(self, facts: Facts) -> Facts:
        """The facts, with the doubts about the stores; a doubt is recorded at once, what is proven when it is told."""
        looks = {}
        for store in self._desk.site.stores:
            host = facts.hosts.get(store.host)
            stored = host.stores.get(store.name) if host and not host.error else None
            if stored is None or stored.problem:
                continue
            looks[store.name] = look = self._look(store, stored, facts)
            if not self._desk.spare and look.doubt and look.now and look.now != look.before.known:
                self._desk.journal.histories.take(look.now)
        self.looks = looks
        doubted = {
            store.name: heads.doubted(looks[store.name]) for store in self._desk.site.stores if store.name in looks
        }
        hosts = {
            name: replace(
                host, stores={key: replace(each, doubted=doubted.get(key, "")) for key, each in host.stores.items()}
            )
            for name, host in facts.hosts.items()
        }
        return replace(facts, hosts=hosts)

    def _look(self, store: Store, stored: StoreFacts, facts: Facts) -> HistoryLook:
        before = self._before[store.name]
        now = heads.standing(store, facts) if stored.exists else follow.Standing("", ())
        try:
            now = self._rest(store, now, before.head) if now else None
            first = follow.earlier(before) if now and not now.broken else ""
            way = self._since(store, first) if first else None
        except RunnerError as error:
            return HistoryLook(before=before, now=before.known, problem=error.text)
        if now is None:
            return HistoryLook(before=before, now=before.known, problem="it could not be read, or the answer is none")
        return follow.look(before, now, stored, facts.at, way)

    def _since(self, store: Store, head: str) -> follow.Standing:
        """All lines since a head, "" for all there are; RunnerError where the store does not say."""
        verb = heads.question(self._desk.site, store, head)
        standing = heads.answer(ask(self._desk.transports[store.host], verb, {}, within=_PATIENCE))
        return self._rest(store, standing, head)

    def _rest(self, store: Store, first: follow.Standing, start: str) -> follow.Standing:
        """All lines up to the first that does not follow, where the first answer has not all of them.

        RunnerError where they are too many, or take too long.
        """
        lines, at = list(first.lines), follow.missing(first, start)
        pages, begun = follow.Pages(start), self._desk.now()
        follows = at is None or pages.follow(lines)
        for _ in range(_PAGES):
            if at is None or not follows:
                # Whoever works on the store meanwhile adds more than there were.
                return first._replace(lines=tuple(lines[: follow.between(start, first.head)]))
            verb = heads.question(self._desk.site, store, at.text)
            left = _PATIENCE - (self._desk.now() - begun).total_seconds()
            if left <= 0:
                raise RunnerError(f"its lines since the last look did not come within {_PATIENCE:.0f} s")
            more = heads.answer(ask(self._desk.transports[store.host], verb, {}, within=min(left, _PATIENCE)))
            lines += more.lines
            follows = pages.follow(more.lines)
            at = follow.missing(more._replace(head=first.head), at.text) if more.lines else None
        raise RunnerError("it has too many lines since the last look")

    def findings(self, plan: str) -> tuple[Finding, ...]:
        """What of the stores is not as this runner last saw it; what is proven is known once that plan was reported."""
        stores = [store for store in self._desk.site.stores if store.name in self.looks]
        looks = [self.looks[store.name] for store in stores]
        self._proven[plan] = tuple(
            look.now
            for look in looks
            if look.now and not look.doubt and not look.problem and look.now != look.before.known
        )
        asked = self._desk.journal.heads.asked
        return tuple(each for store in stores for each in heads.findings(store, self.looks[store.name], asked))

    def notes(self, plans: Sequence[Plan]) -> tuple[Finding, ...]:
        """The last head of each store, the doubts that stand, and what people took as known.

        A message that is kept somewhere else is what the store is held to.
        """
        listed = list[Finding]()
        mentioned = {finding.cause for plan in plans for finding in plan.findings if finding.source == "history"}
        with suppress(RunnerError):
            stores = {store.name: store for store in self._desk.site.stores}
            for name, before in self.before().items():
                if line := heads.head_line(stores[name], before):
                    listed.append(_note(line))
                doubt = heads.standing_doubt(stores[name], before.known) if before.known else None
                listed += [doubt] if doubt and doubt.cause not in mentioned else []
            listed += [heads.accepted_by(stores, each) for each in self._desk.journal.histories.untold()]
        return tuple(replace(each, phase=Phase.RUN) for each in listed)

    def settle(self, run: str, plans: Sequence[Plan]) -> None:
        """These plans were reported: what they rest on is known."""
        there = self._desk.journal.histories.last()
        for known in (known for plan in plans for known in self._proven.get(plan.id, ())):
            row = there.get(known.store)
            # Meanwhile another run may have come further, doubted it, or a person may have said that he knows.
            if not row or not (row.doubt or row.place > known.place or row.at > known.at):
                self._desk.journal.histories.take(replace(known, run=known.run or run))
        for accepted in self._desk.journal.histories.untold():
            self._desk.journal.histories.mention(accepted, self._desk.now())

    def look_at(self, name: str) -> tuple[Store, HistoryLook]:
        """Ask the store now; UsageError where there is none of that name, RunnerError where it cannot be read."""
        store = next((store for store in self._desk.site.stores if store.name == name), None)
        if store is None:
            names = ", ".join(sorted(store.name for store in self._desk.site.stores))
            raise UsageError(f"there is no store '{name}'", do=f"the stores are: {names}")
        facts = self._desk.gather((store.host,))
        if name not in self.looks:
            host = facts.hosts[store.host]
            raise RunnerError(f"store {name} cannot be read: {host.error or host.stores[name].problem}", do=host.do)
        self._stored = facts.hosts[store.host].stores[name]
        return store, self.looks[name]

    def accept(self, name: str, head: str, who: str) -> KnownHistory:
        """Take the present head of a store as known, which must be that one; UsageError where it is not."""
        store, look = self.look_at(name)
        if not head or look.head != head:
            now = f"it is {look.head}" if look.head else "it has none that can be followed"
            raise UsageError(
                f"this is not the head that store {name} has now: {now}", do=f"see what changed: runner history {name}"
            )
        known = follow.accepted(look.before, self._since(store, ""), self._stored, self._desk.now())
        if known is None or known.head != head:
            raise RunnerError(
                f"the history of store {name} cannot be followed to that head", do="ask again, or see docs/guide.md"
            )
        accepted = AcceptedHead(store=name, head=head, before=look.before.head, at=known.at, who=who)
        self._desk.journal.histories.accept(known, accepted)
        return known


def _note(text: str) -> Finding:
    return Finding(severity="note", source="history", text=text)
