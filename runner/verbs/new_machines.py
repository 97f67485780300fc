"""A person says that hosts are other machines from now on: that is remembered, and told in the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from runner.engine import machines
from runner.model.errors import FactsIncomplete
from runner.model.facts import Facts
from runner.model.plan import Finding
from runner.model.role import Phase
from runner.model.site import Site
from runner.model.text import remedied
from runner.planning.machines import taken


class MachineDesk(Protocol):
    """What is needed of the app."""

    site: Site

    def gather_any(self, hosts: Sequence[str]) -> Facts:
        """Read these hosts now, whichever machines they are."""


def take(desk: MachineDesk, hosts: Sequence[str]) -> tuple[Finding, ...]:
    """Bind `hosts` to the machines that answer now, and say so; nothing where none is named.

    They are hosts of a live site (`due.require_hosts`). FactsIncomplete where one does not answer or has no machine-id.
    """
    site = desk.site
    if not hosts:
        return ()
    keepers = [site.store(store).host for job in site.jobs if job.host in hosts and (store := _store(job.options))]
    facts = desk.gather_any(tuple(dict.fromkeys((*hosts, *keepers))))
    made = taken(facts, hosts)
    for name in hosts:
        if name not in made:
            why = (
                remedied(facts.hosts[name].error, facts.hosts[name].do)
                or "it has no machine-id, so it can be no other than it was"
            )
            raise FactsIncomplete(f"{name} cannot be bound: {why}", do="put that right, and run it again")
    machines.bind(Path(site.state), made)
    lines = [
        f"{name} is the machine {each.machine} from now on, and no longer {' or '.join(each.former) or 'any other'}"
        for name, each in made.items()
    ]
    return tuple(Finding(severity="note", source="machines", text=text, phase=Phase.RUN) for text in lines)


def _store(options: object) -> str:
    return str(getattr(options, "store", ""))
