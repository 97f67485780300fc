"""Each run asks each store for the lines of its history since the head that the journal has, and follows them itself.

The journal is on another machine than the store: whoever changes the history of one has not changed the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, assert_never

from runner.agent.arguments import argv
from runner.agent.history.contract.standing import ChainStanding, LookAtChain
from runner.jobs.history.follow import WENT, HistoryBefore, HistoryLook
from runner.model.cause import Fault, of_store
from runner.model.facts import Facts, Probe
from runner.model.plan import Finding
from runner.model.site import Site, Store
from runner.model.stored import AcceptedHead, DeclaredPlace, HeadTaken, HistoryDoubt, KnownHistory, SeenHead
from runner.model.text import count, one_line
from runner.tools import agent
from runner.tools.answers import read

_NAMED = 5
_WENT = {"expired": "expired", "aside": "was set aside", "dropped": "was dropped", "lost": "was written off"}


def declared(site: Site, store: Store) -> DeclaredPlace:
    """Where jobs.toml says that the store is."""
    path = site.host(store.host).at(store.path)
    return DeclaredPlace(host=store.host, path=path, uuid=site.disk(store.disk).uuid if store.disk else "")


def job_names(site: Site, store: Store) -> tuple[str, ...]:
    """The jobs of a store, the steps of which are answered its head."""
    return tuple(job.name for job in site.jobs if getattr(job.options, "store", "") == store.name)


def before(
    site: Site,
    store: Store,
    known: KnownHistory | None,
    answered: Callable[[Sequence[str], int], Sequence[SeenHead]],
    made: tuple[int, datetime] | None = None,
) -> HistoryBefore:
    """What is known of it; where jobs.toml declares another place than when that was seen it is another store.

    So it is where a step of this runner, at that place of the journal and time, has `made` the filesystem of its disk
    since.
    """
    here, names = declared(site, store), job_names(site, store)
    if made and known and known.at <= made[1]:
        known = None
    since = answered(names, max(known.place if known else 0, made[0] if made else 0))
    place = max((each.place for each in since), default=known.place if known else 0)
    if known and known.declared != here:
        return HistoryBefore(store=store.name, declared=here, place=place)
    return HistoryBefore(store=store.name, declared=here, known=known, answered=tuple(since), place=place)


def last(known: HistoryBefore) -> str:
    """The head that a message has: the last one that was answered or proven; "" for none."""
    newest = max((each for each in known.answered if each.head), key=lambda each: each.place, default=None)
    return newest.head if newest else known.head


def head_line(store: Store, known: HistoryBefore) -> str:
    """The line of a message about its last head, and how far it was followed; "" where there is none."""
    head = last(known)
    if not head or head == known.head:
        return line_of(store, head) if head else ""
    before = f"; checked until now: {known.head}" if known.head else ""
    return f"{line_of(store, head)} (the next run checks it{before})"


def question(site: Site, store: Store, head: str) -> tuple[str, ...]:
    """The verb that asks for the lines since a head."""
    return argv("chain", LookAtChain(site.host(store.host).at(store.path), head))


def probes(site: Site, hosts: Collection[str], known: Mapping[str, HistoryBefore]) -> tuple[Probe, ...]:
    """The question for each store of these hosts."""
    return tuple(
        Probe(id=_id(store), host=store.host, argv=(agent.ARTIFACT, *question(site, store, known[store.name].head)))
        for store in site.stores
        if store.host in hosts
    )


def standing(store: Store, facts: Facts) -> ChainStanding | None:
    """What a store answered of its chain; None where it did not, or that makes no sense."""
    reading = facts.reading(store.host, _id(store))
    return read(reading.out, ChainStanding) if reading and reading.exit == 0 else None


def answer(given: Mapping[str, Any]) -> ChainStanding:
    """What a store answered to the question alone; FactsIncomplete where that makes no sense."""
    return agent.sure(given, ChainStanding)


def line_of(store: Store, head: str) -> str:
    """The line of a message about a store's head."""
    return f"history of store {store.name} at {store.host}: {head}"


def shown(store: Store, facts: Facts) -> str:
    """The same of the head that it has now; "" where that is not known."""
    now = standing(store, facts)
    return line_of(store, now.head) if now and now.head else ""


def doubted(look: HistoryLook) -> str:
    """Why nothing of the store may expire; "" where nothing speaks against it."""
    return "" if look.firm else "its history is in doubt"


def findings(store: Store, look: HistoryLook, asked: Callable[[], Collection[str]]) -> tuple[Finding, ...]:
    """What is not as it was when this runner last saw it; `asked` gives the snapshots that it let go itself."""
    first = look.head and look.now and not look.before.known and look.now.taken == HeadTaken.FIRST and look.firm
    text = f"{line_of(store, look.head)} is the first that this runner sees of it, and is taken as it is"
    do = "compare it with an older message, if there is one; from now on it has to go on from there"
    note = (Finding(severity="note", source="history", text=text, do=do),) if first else ()
    return (*note, *_of_now(store, look), *_went(store, look, asked))


def standing_doubt(store: Store, known: KnownHistory) -> Finding | None:
    """The doubt that stands, whether or not a run looked at the store; None where there is none."""
    if known.doubt is None:
        return None
    where, at = f"store {store.name} at {store.host}", f"{known.at:%Y-%m-%d}"
    match known.doubt:
        case HistoryDoubt.ANOTHER:
            text = f"the history of {where} is not the one that this runner saw on {at}"
        case HistoryDoubt.ELSEWHERE:
            text = f"{where} says that it is in another folder or on another disk than on {at}, and jobs.toml does not"
        case HistoryDoubt.ODD:
            text = f"the history of {where} has a line since {at} that nothing here writes"
        case _:
            assert_never(known.doubt)
    do = "trust nothing in it before you know why, and nothing expires (docs/guide.md, Whether somebody tampered):"
    return _finding(store, text, do, f"runner history {store.name}")


def accepted_by(stores: Mapping[str, Store], accepted: AcceptedHead) -> Finding:
    """That a person took a head as known."""
    head = line_of(stores[accepted.store], accepted.head) if accepted.store in stores else accepted.head
    text = f"{head} was taken as known by {one_line(accepted.who)} on {accepted.at:%Y-%m-%d %H:%M} UTC"
    return Finding(severity="note", source="history", text=text)


def _of_now(store: Store, look: HistoryLook) -> Sequence[Finding]:
    """What of the store and its chain does not fit together, or not with what is known."""
    known, where = look.now, f"store {store.name} at {store.host}"
    listed = [doubt] if known and (doubt := standing_doubt(store, known)) else []
    if look.problem:
        text = f"the history of {where} cannot be followed: {one_line(look.problem)}"
        do = "find out who wrote to it; nothing expires until it can be"
        listed.append(_finding(store, text, do, f"runner history {store.name}"))
    if look.gone:
        what = f"{_names(look.gone)} of store {store.name}"
        text = f"{what}: gone, with the record, and its history has no line that says why"
        listed.append(_finding(store, text, "find out who removed what; then:", f"runner history {store.name}"))
    if look.strange:
        text = f"{_names(look.strange)} of store {store.name}: not sealed by its history, and there all the same"
        do = "find out who put that there; use none of it:"
        listed.append(_finding(store, text, do, f"runner history {store.name}"))
    return listed


def _went(store: Store, look: HistoryLook, asked: Callable[[], Collection[str]]) -> Sequence[Finding]:
    """What went, and this runner did not ask for it."""
    went = [change for change in look.changes if change.event in WENT]
    ours = asked() if went else ()
    went = [change for change in went if change.name not in ours]
    if not went:
        return ()
    texts = [f"{each.name} {_WENT[each.event]} at {each.time[:16]}Z" for each in went[:_NAMED]]
    texts += [f"and {len(went) - _NAMED} more"] if len(went) > _NAMED else []
    text = f"store {store.name}: {', '.join(texts)}, and this runner did not ask for it"
    return (_finding(store, text, "find out who did"),)


def _id(store: Store) -> str:
    return f"history.{store.name}"


def _names(names: Sequence[str]) -> str:
    more = f" and {count(len(names) - _NAMED, 'other')}" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _finding(store: Store, text: str, do: str, command: str = "") -> Finding:
    cause = of_store(store.name, Fault.HISTORY)
    return Finding(severity="attention", source="history", text=text, do=do, command=command, cause=cause)
