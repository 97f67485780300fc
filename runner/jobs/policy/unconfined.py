"""Which hosts are told to hear others as root: told by every check. Pure."""

from __future__ import annotations

from runner.model.plan import Finding
from runner.model.site import Site


def unconfined(site: Site) -> tuple[Finding, ...]:
    """A note for each host of a live site where what hears another host is not confined."""
    do = "where the host can, take `confined = false` out of jobs.toml (docs/trust.md)"
    text = "what {} receives from another host is received by root, who may write everywhere there (confined = false)"
    hosts = [host.name for host in site.hosts if site.live and not host.confined]
    return tuple(Finding(severity="note", source="", text=text.format(name), do=do) for name in hosts)
