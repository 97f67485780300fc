"""Which host of jobs.toml this machine is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from runner.config.complaints import no_such
from runner.model.errors import UsageError
from runner.model.site import Job, Site

# What a host can do for itself while nobody reaches it: it neither copies to others nor interrupts people.
ALONE = ("access", "updates")


def placed(site: Site, host: str = "", bound: Callable[[], str] = str) -> Site:
    """The site as this machine sees it. UsageError where `host` is no host of it, or where nothing says which it is.

    `host` says which host this is; "" means the one that is called like this machine, else the one that `bound` gives:
    what a run has found it to be. No other machine is taken for one of them, the controller least of all: whoever has
    a copy of jobs.toml would act in its name. The sandbox is never divided: one runner plays all its hosts.
    """
    if not site.live:
        if host:
            text = "the sandbox plays every host, so this machine is none of them"
            raise UsageError(text, do="leave --here out")
        return site
    names = [host.name for host in site.hosts]
    if host and host not in names:
        raise UsageError(no_such("host", host, names), do="name a host of jobs.toml")
    own = os.uname().nodename.partition(".")[0]
    here = host or (own if own in names else bound())
    if here not in names:
        raise UsageError(
            f"this machine is called {own}, and the hosts of jobs.toml are {' and '.join(names)}: "
            "which of them it is must be known before anything is done in its name",
            do=f"if it is one of them, say so (--here {site.controller}), or call it in jobs.toml as it calls itself",
        )
    return seen_from(site, here)


def starter(site: Site, job: Job) -> str:
    """The host whose runner starts the job."""
    return job.runs_on or site.controller


def seen_from(site: Site, host: str) -> Site:
    """The live site for the runner on `host`, which must be one of its hosts.

    `jobs` are those that start there, `elsewhere` the others. On another host than the controller that host
    is the controller of what it starts, and has only its own disks and stores: it reaches no other.
    """
    jobs = tuple(replace(job, runs_on=starter(site, job)) for job in site.jobs)
    seen = replace(
        site,
        jobs=tuple(job for job in jobs if job.runs_on == host),
        elsewhere=tuple(job for job in jobs if job.runs_on != host),
    )
    if host == site.controller:
        return seen
    return replace(
        seen,
        name=f"{site.name} on {host}",
        controller=host,
        disks=tuple(disk for disk in site.disks if disk.host == host),
        stores=tuple(store for store in site.stores if store.host == host),
    )
