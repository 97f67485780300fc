"""Which host of jobs.toml this machine is."""

from __future__ import annotations

import os

from runner.config.here_rules import seen_from
from runner.config.problem import no_such
from runner.model.errors import UsageError
from runner.model.site import Site


def placed(site: Site, asked: str = "") -> Site:
    """The site as this machine sees it. UsageError where `asked` is no host of it.

    `asked` says which host this is; "" means the one that is called like this machine, else the controller.
    The sandbox is never divided: one runner plays all its hosts.
    """
    if not site.live:
        if asked:
            text = "the sandbox plays every host, so this machine is none of them"
            raise UsageError(text, do="leave --here out")
        return site
    names = [host.name for host in site.hosts]
    if asked and asked not in names:
        raise UsageError(no_such("host", asked, names), do="name one of jobs.toml")
    own = os.uname().nodename.partition(".")[0]
    return seen_from(site, asked or (own if own in names else site.controller))
