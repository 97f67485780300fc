"""Whose snapshots a store has: a machine that only has a copy of jobs.toml must not be taken for the host in it."""

from __future__ import annotations

from runner.model.facts import Facts, StoreFacts
from runner.model.plan import Finding
from runner.model.site import Job, Site
from runner.tools import machines


def another(site: Site, job: Job, facts: Facts) -> Finding | None:
    """Why `job` must not copy the host as it answers now: its last snapshots are of another machine. None where not.

    The store remembers that, so it is known to whoever comes with jobs.toml and nothing else. A machine that a
    person has given up for the one that there is now (`BoundMachine.former`) is none that counts.
    """
    store = site.store(job.options.store)
    now = facts.hosts[job.host].machine
    last, name = newest(facts.hosts[store.host].stores[store.name], job.host)
    known = facts.bound.get(job.host)
    if not site.live or not machines.differ(now, last) or (known and known.machine == now and last in known.former):
        return None
    text = (
        f"{job.host} is another machine than the one in store {store.name}: its machine-id is {now}, "
        f"and that of {name} was {last}; nothing was copied"
    )
    return machines.stranger(site, job.name, job.host, text)


def newest(stored: StoreFacts, host: str) -> tuple[str, str]:
    """The machine of the newest snapshot of `host` that says which it was, and that snapshot; both "" without one."""
    own = [each for each in stored.sealed if each.recorded and each.host == host and each.machine]
    return (own[-1].machine, own[-1].name) if own else ("", "")
