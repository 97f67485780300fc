"""Whether each host is still the machine that it was: an address may lead elsewhere, and a file may be copied. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from runner.model.errors import StalePlan
from runner.model.facts import BoundMachine, Facts, HostFacts
from runner.model.plan import Finding
from runner.model.site import Site
from runner.tools import machines


def checked(site: Site, facts: Facts) -> Facts:
    """The facts in which a host that is another machine than it was is none that could be read; the others stay.

    In the sandbox one machine plays them all.
    """
    if not site.live:
        return facts
    hosts = {
        name: HostFacts(name=name, machine=known.machine, error=text)
        if (text := machines.another_answers(facts, name))
        else known
        for name, known in facts.hosts.items()
    }
    return replace(facts, hosts=hosts)


def require_same(site: Site, facts: Facts) -> None:
    """StalePlan where a host of a plan that is to be applied is another machine than it was."""
    for name in facts.hosts if site.live else ():
        if text := machines.another_answers(facts, name):
            advice = machines.stranger(site, "", name, text)
            raise StalePlan(text, do=advice.do, command=advice.command)


def fresh(facts: Facts, hosts: Iterable[str]) -> Mapping[str, BoundMachine]:
    """What is to be remembered once a plan acts on these hosts: those whose machine was not known before."""
    read = {name: facts.hosts[name].machine for name in hosts if name in facts.hosts and name not in facts.bound}
    return {name: BoundMachine(machine=machine) for name, machine in read.items() if machine}


def taken(facts: Facts, hosts: Iterable[str]) -> Mapping[str, BoundMachine]:
    """These hosts as the machines that they are now, by a person's word; what they were before is given up for that.

    A host whose machine is not known is left out. What they were is in `facts.bound`, and in their snapshots.
    """
    made = {name: BoundMachine(machine=facts.hosts[name].machine, former=_before(facts, name)) for name in hosts}
    return {name: each for name, each in made.items() if each.machine}


def _before(facts: Facts, host: str) -> tuple[str, ...]:
    bound = facts.bound.get(host)
    stores = [store for each in facts.hosts.values() for store in each.stores.values()]
    copied = [snapshot.machine for store in stores for snapshot in store.sealed if snapshot.host == host]
    before = (*((bound.machine, *bound.former) if bound else ()), *copied)
    return tuple(dict.fromkeys(each for each in before if machines.differ(each, facts.hosts[host].machine)))


def notes(site: Site, facts: Facts) -> tuple[Finding, ...]:
    """What a reader should know of the machines: that two hosts cannot be told apart, or that one cannot be known."""
    if not site.live:
        return ()
    known = {name: host.machine for name, host in facts.hosts.items() if not host.error}
    texts = []
    for name, machine in known.items():
        alike = [other for other, its in known.items() if machine and its == machine and other < name]
        # Told until a run has bound it: nobody must do anything about a clone.
        if alike and name not in facts.bound:
            texts.append(f"{alike[0]} and {name} have one machine-id, {machine}, so neither is known from the other")
        if name in facts.bound and not machine:
            texts.append(f"{name} has no machine-id now, so it is not known whether it is the machine that it was")
    return tuple(Finding(severity="note", source="machines", text=text) for text in texts)
