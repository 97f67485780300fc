"""Stores that others than root could enter: what the plan does about it, and what a person is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from runner.model.facts import StoreFacts
from runner.model.plan import Command, Effect, Finding, Step
from runner.model.role import Role
from runner.model.site import Site, Store
from runner.model.text import one_line
from runner.tools import agent


def steps(site: Site, job: str, host: str, stores: Sequence[tuple[Store, StoreFacts]]) -> tuple[Step, ...]:
    """One step a store on `host` that is open and can be closed, in the job that prepares the host.

    Where there is nothing to see yet, whoever first holds the store closes it.
    """
    return tuple(
        Step(
            id=f"{job}/close-{store.name}",
            role=Role.PREPARE,
            subject=store.name,
            job=job,
            host=host,
            effect=Effect.WRITE,
            action=Command(argv=agent.close(site.host(host), known.path)),
            why=f"give store {store.name} to root alone: other users could enter it",
        )
        for store, known in stores
        if _exposed(known) and not known.foreign
    )


def findings(job: str, host: str, stores: Sequence[tuple[Store, StoreFacts]]) -> tuple[Finding, ...]:
    """What a person should know where others could read snapshots; a store without any is closed without a word."""
    return tuple(_finding(job, host, store, known) for store, known in stores if _exposed(known))


def _exposed(known: StoreFacts) -> bool:
    return bool(known.open and (known.sealed or known.partials))


def _finding(job: str, host: str, store: Store, known: StoreFacts) -> Finding:
    text = (
        f"other users of {host} could enter store {store.name}, and read there what belongs to users of the same "
        "number on the copied host"
    )
    if known.foreign:
        things = ", ".join(map(one_line, known.foreign))
        text += f"; it stays open, since there is something else in its folder: {things}"
        return Finding(severity="attention", source=job, text=text, do=f"move that out of {known.path}, and run again")
    do = f"nothing more to close; if other people can log in to {host}, think of what they may have read"
    return Finding(severity="attention", source=job, text=f"{text}; this run closes it", do=do)
