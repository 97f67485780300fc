"""The site as the runner on one of its hosts sees it: which jobs it starts, and which another host's does."""

from __future__ import annotations

from dataclasses import replace

from runner.model.site import Job, Site

# What a host can do for itself while nobody reaches it: it neither copies to others nor interrupts people.
ALONE = ("access", "updates")


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
