"""The stores that a host has to do with: who works with them must have ended before it goes down."""

from __future__ import annotations

from dataclasses import dataclass

from runner.jobs.power.window import Objection
from runner.model.facts import Facts, Holder, StoreFacts
from runner.model.site import Site, Store
from runner.model.text import remedied

_WAIT = "wait until it has ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Concerned:
    """A store that is on the host, or that the host's snapshots go to. `error`: why it cannot be asked."""

    store: Store
    facts: StoreFacts | None = None
    error: str = ""

    @property
    def usable(self) -> bool:
        """Whether it can be held: where it does not exist or cannot be used, nobody writes to it."""
        return self.facts is not None and self.facts.exists and not self.facts.problem

    @property
    def path(self) -> str:
        """Where it is."""
        return self.facts.path if self.facts else self.store.path

    @property
    def holder(self) -> Holder | None:
        """Who holds it, as far as is known."""
        return self.facts.holder if self.facts else None


def stores_of(site: Site, host: str, facts: Facts) -> tuple[Concerned, ...]:
    """Every store on `host`, and every one that a job of `host` works with, as read.

    All of them where it is the host that the runner is on: whatever runs is cut off with it.
    """
    return tuple(_read(store, facts) for store in _stores(site, host))


def keepers(site: Site, host: str) -> tuple[str, ...]:
    """The other hosts that keep snapshots of `host`: they are asked too before it goes down."""
    return tuple(sorted({store.host for store in _stores(site, host)} - {host}))


def against(stores: tuple[Concerned, ...], *, ending: bool = False) -> tuple[Objection, ...]:
    """Who works with a store that concerns the host; with `ending` what writes may be ended, but no restore."""
    objections: list[Objection] = []
    for concerned in stores:
        name, holder = f"store {concerned.store.name} of {concerned.store.host}", concerned.holder
        if holder and not (ending and holder.plan):
            objections.append(Objection(text=f"{name} is held by {describe(holder)}", do=_WAIT))
        sealed = concerned.facts.sealed if concerned.facts else ()
        read = [snapshot.name for snapshot in sealed if snapshot.being_read]
        if read:
            objections.append(Objection(text=f"somebody restores from {read[0]} of {name}", do=_WAIT))
    return tuple(objections)


def unknown(stores: tuple[Concerned, ...]) -> tuple[Objection, ...]:
    """The stores of which nobody can say whether they are being written to."""
    return tuple(
        Objection(
            text=f"whether store {each.store.name} is in use is not known: {each.store.host}: {each.error}",
            do="see that no snapshot is being written to it",
        )
        for each in stores
        if each.error
    )


def describe(holder: Holder) -> str:
    """Who holds a store, in words."""
    since = f" since {holder.since:%Y-%m-%d %H:%M} UTC" if holder.since else ""
    return f"{holder.who or 'another run'} (plan {holder.plan or 'unknown'}){since}"


def _stores(site: Site, host: str) -> tuple[Store, ...]:
    sources = {getattr(job.options, "store", "") for job in site.jobs if job.host == host}
    every = host == site.controller
    return tuple(store for store in site.stores if every or store.host == host or store.name in sources)


def _read(store: Store, facts: Facts) -> Concerned:
    host = facts.hosts.get(store.host)
    if host is None or host.error:
        return Concerned(store=store, error=remedied(host.error, host.do) if host else "it was not asked")
    return Concerned(store=store, facts=host.stores.get(store.name))
