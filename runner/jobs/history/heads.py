"""Each run asks each store whether its chain goes on from the head that the journal has, and what went since.

The journal is on another machine than the store: whoever changes the history of one has not changed the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from runner.agent.arguments import argv
from runner.agent.history.contract.standing import ChainStanding, LookAtChain
from runner.model.cause import Fault, of_store
from runner.model.facts import Facts, Probe, StoreFacts
from runner.model.options import SnapshotOptions
from runner.model.plan import Finding
from runner.model.site import Site, Store
from runner.model.stored import SeenHead
from runner.model.text import count, one_line
from runner.tools import agent
from runner.tools.answers import read

_NAMED = 5
_WENT = {"expired": "expired", "aside": "was set aside", "dropped": "was dropped", "lost": "was written off"}
_AGAINST = "what to do with a head from an old message: docs/guide.md"


def seen(site: Site, heads: Mapping[str, SeenHead]) -> Mapping[str, SeenHead]:
    """The last head of each store that any of its jobs was answered, by the name of the store."""
    known: dict[str, SeenHead] = {}
    for job in site.jobs:
        store, head = str(getattr(job.options, "store", "") or ""), heads.get(job.name)
        if store and head and (store not in known or head.place > known[store].place):
            known[store] = head
    return known


def probes(site: Site, hosts: Collection[str], known: Mapping[str, SeenHead]) -> tuple[Probe, ...]:
    """The question for each store of these hosts."""
    return tuple(
        Probe(id=_id(store), host=store.host, argv=(agent.ARTIFACT, *argv("chain", _question(site, store, known))))
        for store in site.stores
        if store.host in hosts
    )


def standing(store: Store, facts: Facts) -> ChainStanding | None:
    """What a store answered of its chain; None where it did not, or that makes no sense."""
    reading = facts.reading(store.host, _id(store))
    return read(reading.out, ChainStanding) if reading and reading.exit == 0 else None


def line_of(store: Store, head: str) -> str:
    """The line of a message about a store's head."""
    return f"history of store {store.name} at {store.host}: {head}"


def shown(store: Store, facts: Facts) -> str:
    """The same of the head that it has now; "" where that is not known."""
    now = standing(store, facts)
    return line_of(store, now.head) if now and now.head else ""


def doubts(
    site: Site, facts: Facts, known: Mapping[str, SeenHead], asked: Callable[[], Collection[str]]
) -> tuple[Finding, ...]:
    """What is not as it was when this runner last saw it; `asked` gives the snapshots that it let go itself.

    A store at another place or on another disk than the last snapshots were sealed on is another store.
    """
    listed: list[Finding] = []
    for store in site.stores:
        stored = facts.hosts[store.host].stores.get(store.name) if store.host in facts.hosts else None
        now = standing(store, facts)
        if stored is None or stored.problem or now is None:
            continue
        listed += _of_now(store, stored, now)
        if store.name in known and _is_here(site, store, stored, facts):
            listed += _since(store, now, known[store.name], asked)
    return tuple(listed)


def _of_now(store: Store, stored: StoreFacts, now: ChainStanding) -> Sequence[Finding]:
    """What of the store and its chain does not fit together, whoever looks."""
    if now.broken:
        text = f"the history of store {store.name} at {store.host} cannot be followed: {one_line(now.broken)}"
        return (_finding(store, text, "find out who wrote to it; the next snapshot begins another one"),)
    listed = []
    # One of which the record is left is told by the jobs of the store.
    gone = [name for name in now.gone if name not in stored.lost]
    if gone:
        text = f"{_names(gone)} of store {store.name}: gone, with the record, and its history has no line that says why"
        listed.append(_finding(store, text, "find out who removed what"))
    if now.strange:
        text = f"{_names(now.strange)} of store {store.name}: not sealed by its history, and there all the same"
        listed.append(_finding(store, text, "find out who put that there; use none of it"))
    return listed


def _since(
    store: Store, now: ChainStanding, known: SeenHead, asked: Callable[[], Collection[str]]
) -> Sequence[Finding]:
    """What of it is not as the journal has it."""
    if now.continues is False:
        text = (
            f"the history of store {store.name} at {store.host} is not the one that this runner saw on "
            f"{known.at:%Y-%m-%d}"
        )
        do = f"trust no older snapshot in it before you know why; {_AGAINST}"
        return () if now.broken else (_finding(store, text, do),)
    went = [change for change in now.since if change.event in _WENT]
    ours = asked() if went else ()
    went = [change for change in went if change.snapshot not in ours]
    if not went:
        return ()
    more = now.changes - len(now.since)
    texts = [f"{each.snapshot} {_WENT[each.event]} at {each.at[:16]}Z" for each in went[:_NAMED]]
    texts += [f"and {count(len(went) - _NAMED + more, 'more change')}"] if len(went) > _NAMED or more else []
    text = f"store {store.name}: {', '.join(texts)}, and this runner did not ask for it"
    return (_finding(store, text, "find out who did"),)


def _is_here(site: Site, store: Store, stored: StoreFacts, facts: Facts) -> bool:
    jobs = [job for job in site.jobs if isinstance(job.options, SnapshotOptions) and job.options.store == store.name]
    wrote = [each for job in jobs for each in facts.wrote.get(job.name, ())]
    last = max(wrote, key=lambda each: each.last, default=None)
    return last is None or (last.path, last.uuid) == (stored.path, stored.uuid)


def _question(site: Site, store: Store, known: Mapping[str, SeenHead]) -> LookAtChain:
    return LookAtChain(site.host(store.host).at(store.path), known[store.name].head if store.name in known else "")


def _id(store: Store) -> str:
    return f"history.{store.name}"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _finding(store: Store, text: str, do: str) -> Finding:
    return Finding(severity="attention", source="history", text=text, do=do, cause=of_store(store.name, Fault.HISTORY))
