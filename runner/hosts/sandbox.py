"""The sandbox: the folders that play the site's machines while `live` is false."""

from __future__ import annotations

from pathlib import Path

from runner.model.site import Site


def make(site: Site) -> None:
    """Make the folder of every host and the parents of every store; what is there stays."""
    for host in site.hosts:
        Path(host.root).mkdir(parents=True, exist_ok=True)
    for store in site.stores:
        Path(site.host(store.host).at(store.path)).parent.mkdir(parents=True, exist_ok=True)
