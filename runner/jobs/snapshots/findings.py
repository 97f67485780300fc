"""What keeps a snapshot from being made, and what a person should know of one that is."""

from __future__ import annotations

from runner.jobs.snapshots import filesystems
from runner.model.facts import HostFacts, StoreFacts
from runner.model.plan import Finding
from runner.model.site import Job, Site, Store
from runner.tools import rsync

OLDEST_RSYNC = (3, 1, 3)
SAFE_RSYNC = (3, 5, 0)


def unusable(site: Site, job: Job, place: Store, source: HostFacts, keeper: HostFacts) -> Finding | None:
    """Why no faithful snapshot of `source` can be made in store `place` of `keeper`; None where it can."""
    found = keeper.stores[place.name]
    for facts in (source, keeper):
        version = rsync.version_number(facts.rsync.version)
        if version < OLDEST_RSYNC:
            has = f"rsync {facts.rsync.version}" if version else "no rsync"
            return Finding(
                severity="attention",
                source=job.name,
                text=f"{facts.name} has {has}",
                do=f"install rsync 3.1.3 or newer on {facts.name}",
            )
    if found.problem:
        return Finding(
            severity="attention",
            source=job.name,
            text=f"store {place.name} on {place.host} cannot be used: {found.problem}",
            do="nothing was written to it; put that right and run again",
        )
    if site.live and keeper.uid != 0:
        return Finding(
            severity="attention",
            source=job.name,
            text=f"owners cannot be kept: on {keeper.name} this runs as uid {keeper.uid}, not as root",
            do=f"let hosts.{keeper.name}.user be root, or run as root there",
        )
    return None


def findings(
    site: Site, job: Job, choice: filesystems.Choice, source: HostFacts, place: StoreFacts
) -> tuple[Finding, ...]:
    """What a person should know of the snapshot before it is made: what it leaves out, and what is short."""
    store_name, rsync_version = job.options.store, source.rsync.version
    wants = [
        (f"{mount} of {job.host} should be in this snapshot and is not mounted", "mount it, or name it in `exclude`")
        for mount in choice.absent
    ]
    if place.whole_seconds:
        wants.append(
            (
                f"the disk of store {store_name} keeps whole seconds only: nothing will be shared",
                "make it again with 256-byte inodes (mke2fs -I 256)",
            )
        )
    notes = []
    if not (job.options.filesystems or site.host(job.host).filesystems):
        notes += [f"left out: {mount} ({why})" for mount, why in choice.left]
    if source.uid != 0:
        notes.append(f"not root on {job.host}: owners are not kept, and what only root may read is missing")
    if site.live and rsync.version_number(rsync_version) < SAFE_RSYNC:
        notes.append(f"rsync {rsync_version} on {job.host} follows links that its users plant; 3.5.0 does not")
    if place.holder:
        since = f" since {place.holder.since:%Y-%m-%d %H:%M} UTC" if place.holder.since else ""
        notes.append(f"store {store_name} is busy now: {place.holder.who} holds it{since}")
    return (
        *(Finding(severity="attention", text=text, source=job.name, do=do) for text, do in wants),
        *(Finding(severity="note", text=text, source=job.name) for text in notes),
    )
