"""What a person takes out of a store by hand: plans for snapshots that are set aside, and for interrupted copies."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from runner.jobs.retention import aside
from runner.jobs.retention.aside import AsideRequest
from runner.model.errors import Busy, UsageError
from runner.model.facts import Facts, StoreFacts
from runner.model.kind import Draft
from runner.model.plan import Plan
from runner.model.site import Site
from runner.verbs.app import App
from runner.verbs.browse import Holding, gathered, missing

# In place of names: every snapshot of which only the record is left.
LOST = "lost"

_Drafted = Callable[[Site, AsideRequest, datetime], Draft]
_DROP = "--drop-partials"
_SEE = "runner snapshots lists what there is"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Taking:
    """What is done with snapshots that are named: its option, its plan, and `of` which ones it is for."""

    option: str
    draft: _Drafted
    of: Callable[[StoreFacts], tuple[str, ...]]


def setting(app: App, names: Sequence[str], stores: Sequence[str]) -> Plan:
    """The plan that takes these snapshots out of the count; UsageError where no store has them all."""
    return _plan(app, names, stores, _Taking(option="--set-aside", draft=aside.set_aside, of=_counted))


def returning(app: App, names: Sequence[str], stores: Sequence[str]) -> Plan:
    """The plan that lets snapshots which lie aside count again."""
    return _plan(app, names, stores, _Taking(option="--bring-back", draft=aside.bring_back, of=_aside))


def removing(app: App, names: Sequence[str], stores: Sequence[str]) -> Plan:
    """The plan that removes snapshots which lie aside for good."""
    return _plan(app, names, stores, _Taking(option="--drop-aside", draft=aside.drop_aside, of=_aside))


def dropping(app: App, stores: Sequence[str]) -> Plan | None:
    """The plan that drops the interrupted copies of the one store that has any; None where there are none."""
    held, facts = gathered(app, stores)
    having = [holding for holding in held if holding.contents and holding.contents.partials]
    if not having and any(holding.error for holding in held):
        raise missing(held)("; ".join(f"store {each.store.name}: {each.error}" for each in held if each.error))
    if len(having) > 1:
        raise _several("interrupted snapshots", having, (_DROP,))
    if not having:
        return None
    partials = tuple(partial.name for partial in having[0].facts.partials)
    return _drafted(app, having[0], facts, partials, aside.drop_partials)


def _plan(app: App, names: Sequence[str], stores: Sequence[str], taking: _Taking) -> Plan:
    held, facts = gathered(app, stores)
    having = []
    for holding in held:
        there = taking.of(holding.contents) if holding.contents else ()
        wanted = holding.contents.lost if holding.contents and tuple(names) == (LOST,) else tuple(dict.fromkeys(names))
        if wanted and set(wanted) <= set(there):
            having.append((holding, wanted))
    if len(having) > 1:
        raise _several(names[0], [each for each, _ in having], (taking.option, *names))
    if not having:
        errors = [f"store {holding.store.name}: {holding.error}" for holding in held if holding.error]
        text = f"no store has {', '.join(names)}" if tuple(names) != (LOST,) else "no snapshot is lost"
        raise missing(held)("; ".join((text, *errors)), do=_SEE)
    holding, wanted = having[0]
    return _drafted(app, holding, facts, wanted, taking.draft)


def _several(what: str, having: Sequence[Holding], words: Sequence[str]) -> UsageError:
    """That one of these stores must be named, and the command that names the first."""
    stores = [holding.store.name for holding in having]
    command = shlex.join(("runner", "snapshots", stores[0], *words))
    return UsageError(f"several stores have {what}: {', '.join(stores)}", do="name one of them:", command=command)


def _drafted(app: App, holding: Holding, facts: Facts, names: tuple[str, ...], draft: _Drafted) -> Plan:
    if holding.error:
        raise missing((holding,))(f"store {holding.store.name} cannot be used: {holding.error}")
    if holder := holding.facts.holder:
        text = f"store {holding.store.name} is busy: {holder.who or 'another run'} holds it"
        raise Busy(text, do="wait until that has ended; runner status shows it")
    asked = AsideRequest(store=holding.store, facts=holding.facts, names=names)
    return app.plan_of(draft(app.site, asked, facts.at), facts)


def _counted(facts: StoreFacts) -> tuple[str, ...]:
    return (*(snapshot.name for snapshot in facts.sealed if snapshot.recorded), *facts.lost)


def _aside(facts: StoreFacts) -> tuple[str, ...]:
    return tuple(snapshot.name for snapshot in facts.aside)
