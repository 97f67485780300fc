"""A store that was written before and is empty now: most likely this is not its disk."""

from __future__ import annotations

from runner.model.facts import Facts
from runner.model.plan import Finding
from runner.model.site import Job, Site


def emptied(site: Site, job: Job, facts: Facts, *, runs: int) -> Finding | None:
    """Why a snapshot `job` that wrote its store in `runs` recorded runs must not write it now, or None.

    Labels are no proof of a disk: one without a declared uuid is known only by what is on it. A person
    who has put a new disk there says so by declaring its uuid.
    """
    if job.kind != "snapshot" or not runs:
        return None
    place = site.store(job.options.store)
    found = facts.hosts[place.host].stores[place.name]
    if not place.disk or site.host(place.host).root or found.sealed or found.partials or found.problem:
        return None
    disk = site.disk(place.disk)
    if disk.uuid:
        return None
    return Finding(
        severity="attention", source=job.name,
        text=f"store {place.name} is empty, and {job.name} has written to it before: another disk is mounted "
        f"at {disk.mount}, or somebody emptied it",
        do=f"attach the right disk; or, if this one is to be it, declare in jobs.toml under disks.{disk.name}: "
        f'uuid = "{found.uuid}"',
    )  # fmt: skip
