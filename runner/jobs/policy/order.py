"""An order for a host: what keepers read and sign, so that the bound key may bring it. Pure: its text and plan."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from runner.agent.arguments import argv as words
from runner.agent.policy.contract import take
from runner.model.kind import Draft
from runner.model.plan import Argv, Command, Effect, PlannedJob, Step
from runner.model.site import Site
from runner.model.text import one_line
from runner.tools import agent
from runner.tools.answers import understood

OrderStanding: TypeAlias = take.OrderStanding

HEADING = "# An order of runner. Keepers read it and sign these very bytes; one host takes it, once.\n"
_PATIENCE = 180


def ask(site: Site, host: str) -> Argv:
    """Ask `host`, whichever version its agent is of, what an order for it has to say. Reads only."""
    return (agent.program(site.host(host)), *words("taken", take.AskTaken(site.controller)))


def standing(answer: Mapping[str, Any]) -> OrderStanding:
    """What it answers; ValueError where that makes no sense."""
    return understood(answer, OrderStanding)


def text(site: Site, host: str, known: OrderStanding, program: bytes, table: str) -> str:
    """The order that gives `host`, which is as `known` says, this program, and our key there that table."""
    digest = hashlib.sha256(program).hexdigest()
    changes = tuple(_changes(known.policy, table))
    lines = (
        f"# For {host}. In what the key {site.controller} may do there {'changes:' if changes else 'nothing changes.'}",
        *changes,
        f"# The program there {'stays' if digest == known.agent else f'is now another: {known.agent[:16]}...'}",
        "format = 1",
        f'machine = "{known.machine}"',
        f"number = {known.taken + 1}",
        f'was = "{known.was}"',
        f'replaces = "{known.agent}"',
        f'agent = "{digest}"',
        f"size = {len(program)}",
    )
    return HEADING + "\n".join(lines) + f"\n\n{table}"


def draft(site: Site, host: str, order: str, signatures: str, sha256: str) -> Draft:
    """One WRITE step, which brings the order, its signatures and the program with this digest."""
    job = f"enrol-{host}"
    options = take.Take(site.controller, order, signatures)
    step = Step(
        id=f"{job}/order",
        job=job,
        host=host,
        action=Command(
            argv=(agent.program(site.host(host)), *words("take", options)), artifact=agent.ARTIFACT, sha256=sha256
        ),
        effect=Effect.WRITE,
        timeout=_PATIENCE,
        why=f"have {host} look at what keepers have signed, and change itself to that",
    )
    planned = PlannedJob(name=job, kind="enrol", headline=f"{host} has taken the order")
    return Draft(planned=planned, steps=(step,))


def _changes(before: str, after: str) -> Iterator[str]:
    """What goes and what comes, a comment a line."""
    for change in difflib.ndiff(before.splitlines(), after.strip("\n").splitlines()):
        if change[0] in "+-" and change[2:].strip():
            yield f"#   {one_line(change)}"
