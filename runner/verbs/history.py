"""What a run asks stores about their history, what it makes of that, and the heads that its message has."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Protocol

from runner.engine.journal import Journal
from runner.jobs.history import heads
from runner.model.errors import RunnerError
from runner.model.facts import Facts, Probe
from runner.model.plan import Finding
from runner.model.role import Phase
from runner.model.site import Site


class HistoryDesk(Protocol):
    """What is needed of the app."""

    site: Site

    @property
    def journal(self) -> Journal:
        """What was done; RunnerError where it cannot be opened."""


def probes(desk: HistoryDesk, hosts: Collection[str], given: Sequence[Probe]) -> tuple[Probe, ...]:
    """These probes, and one for each store of the hosts."""
    return (*given, *heads.probes(desk.site, hosts, heads.seen(desk.site, desk.journal.heads.last())))


def doubts(desk: HistoryDesk, facts: Facts) -> tuple[Finding, ...]:
    """What of the stores is not as this runner last saw it."""
    known = heads.seen(desk.site, desk.journal.heads.last())
    return heads.doubts(desk.site, facts, known, desk.journal.heads.asked)


def notes(desk: HistoryDesk) -> tuple[Finding, ...]:
    """The last head of each store: a message that is kept somewhere else is what the store is held to."""
    lines = list[str]()
    with suppress(RunnerError):
        known = heads.seen(desk.site, desk.journal.heads.last())
        lines += [heads.line_of(store, known[store.name].head) for store in desk.site.stores if store.name in known]
    return tuple(Finding(severity="note", source="history", text=text, phase=Phase.RUN) for text in lines)
