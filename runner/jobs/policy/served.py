"""Whether a stolen controller could erase what is in a store: told by every check. Pure."""

from __future__ import annotations

from runner.model.facts import Facts
from runner.model.plan import Finding
from runner.model.site import Site, Store


def unbound(site: Site, store: Store, facts: Facts) -> tuple[Finding, ...]:
    """A note where the key with which the store's host is reached may do anything there."""
    host = facts.hosts.get(store.host)
    if not site.live or store.host == site.controller or host is None or host.error or host.served:
        return ()
    text = (
        f"{site.controller} reaches {store.host} with a key that may do anything there: "
        f"whoever takes {site.controller} can erase store {store.name}"
    )
    do = "bind it to what the jobs want (docs/trust.md):"
    return (Finding(severity="note", source="", text=text, do=do, command=f"runner enrol {store.host}"),)
