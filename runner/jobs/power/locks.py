"""What a reboot takes so that it cuts nothing off: the host's power and packages, every store it has to do with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runner.jobs.power import agent
from runner.jobs.power.window import Wrong
from runner.model.facts import Facts, Holder, StoreFacts
from runner.model.plan import Lock
from runner.model.site import Site, Store
from runner.tools import agent as store
from runner.tools import detached

# As in the plans of those who take them alone.
_OWN: tuple[tuple[Literal["packages", "power", "dump", "drill", "restore-db"], str], ...] = (
    ("packages", "packages of"),
    ("power", "power of"),
    ("dump", "dumps of"),
    ("drill", "drill on"),
    ("restore-db", "restores of databases on"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Concerned:
    """A store that is on the host, or that the host's snapshots go to. `error`: why it cannot be asked."""

    store: Store
    found: StoreFacts | None = None
    error: str = ""


def concerned(site: Site, host: str, facts: Facts) -> tuple[Concerned, ...]:
    """Every store on `host`, and every one that a job of `host` works with, as read.

    All of them where it is the host that the runner is on: whatever runs is cut off with it.
    """
    return tuple(_read(one, facts) for one in _stores(site, host))


def keepers(site: Site, host: str) -> tuple[str, ...]:
    """The other hosts that keep snapshots of `host`: they are asked too before it goes down."""
    return tuple(sorted({one.host for one in _stores(site, host)} - {host}))


def hosts_locks(site: Site, host: str, *, plan: str, who: str, until: str) -> tuple[Lock, ...]:
    """The host's own locks, until the step `until`: nothing is installed, dumped or restored meanwhile."""
    program = store.program(site.host(host))
    return tuple(
        Lock(resource=f"{words} {host}", host=host, argv=detached.hold_host(program, name, plan, who), until=until)
        for name, words in _OWN
    )


def store_lock(site: Site, one: Concerned, *, plan: str, who: str, until: str, instead: str = "") -> Lock:
    """The lock of a store that is there, until the step `until`; with `instead` taken from that plan."""
    at = place(site, one, plan)
    argv = agent.take_over(at, holder=instead, who=who) if instead else store.hold(at, who=who)
    return Lock(resource=f"store {one.store.name}", host=one.store.host, argv=argv, until=until)


def place(site: Site, one: Concerned, plan: str) -> store.At:
    """The store as verbs of `plan` name it, on its declared disk."""
    keeper = site.host(one.store.host)
    disk = site.disk(one.store.disk) if one.store.disk else None
    path, uuid = (one.found.path, one.found.uuid) if one.found else (keeper.at(one.store.path), "")
    return store.At(
        program=store.program(keeper),
        path=path,
        plan=plan,
        mount=disk.mount if disk else "",
        uuid=(disk.uuid or uuid) if disk else "",
    )


def there(one: Concerned) -> bool:
    """Whether the store can be held: where it does not exist or cannot be used, nobody writes to it."""
    return one.found is not None and one.found.exists and not one.found.problem


def against(found: tuple[Concerned, ...], *, ending: bool = False) -> tuple[Wrong, ...]:
    """Who works with a store that concerns the host; with `ending` what writes may be ended, but no restore."""
    said: list[Wrong] = []
    for one in found:
        facts = one.found
        if facts and facts.holder and not (ending and facts.holder.plan):
            text = f"store {one.store.name} of {one.store.host} is held by {told(facts.holder)}"
            said.append(Wrong(text=text, do="wait until it has ended"))
        read = [snapshot.name for snapshot in facts.sealed if snapshot.being_read] if facts else []
        if read:
            text = f"somebody restores from {read[0]} of store {one.store.name} of {one.store.host}"
            said.append(Wrong(text=text, do="wait until it has ended"))
    return tuple(said)


def unknown(found: tuple[Concerned, ...]) -> tuple[Wrong, ...]:
    """The stores of which nobody can say whether they are being written to."""
    return tuple(
        Wrong(
            text=f"whether store {one.store.name} is in use is not known: {one.store.host}: {one.error}",
            do="see that no snapshot of it is being made",
        )
        for one in found
        if one.error
    )


def told(holder: Holder) -> str:
    """Who holds a store, in words."""
    since = f" since {holder.since:%Y-%m-%d %H:%M} UTC" if holder.since else ""
    return f"{holder.who or 'another run'} (plan {holder.plan or 'unknown'}){since}"


def _stores(site: Site, host: str) -> tuple[Store, ...]:
    sources = {getattr(job.options, "store", "") for job in site.jobs if job.host == host}
    every = host == site.controller
    return tuple(one for one in site.stores if every or one.host == host or one.name in sources)


def _read(one: Store, facts: Facts) -> Concerned:
    host = facts.hosts.get(one.host)
    if host is None or host.error:
        return Concerned(store=one, error=host.error if host else "it was not asked")
    return Concerned(store=one, found=host.stores.get(one.name))
