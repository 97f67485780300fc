"""Paths of jobs.toml that lie inside one another and must not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from runner.config.complaints import Problem
from runner.model.options import SnapshotOptions
from runner.model.site import Disk, Job, Site, Store


def inside(path: str, folder: str) -> bool:
    """Say whether `path` is `folder` or below it; both absolute and in their plain form."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def check(site: Site) -> Iterator[Problem]:
    """Find stores, disks and sources that lie inside one another or on the wrong disk."""
    yield from _disks(site)
    yield from _stores(site)
    disks = {disk.name: disk for disk in site.disks}
    for store in site.stores:
        yield from _store_and_disk(store, disks)
        for job in site.jobs:
            if store.host == job.host:
                yield from _store_and_source(store, disks.get(store.disk), job, site)


def _disks(site: Site) -> Iterator[Problem]:
    for first, second in combinations(site.disks, 2):
        if first.host != second.host:
            continue
        for key, same in (("mount", first.mount == second.mount), ("device", first.device == second.device)):
            if same:
                yield Problem(path=("disks", second.name, key), text=f"disk {first.name!r} has the same {key}")


def _stores(site: Site) -> Iterator[Problem]:
    for first, second in combinations(site.stores, 2):
        if first.host != second.host:
            continue
        path = ("stores", second.name, "path")
        if first.path == second.path:
            yield Problem(path=path, text=f"store {first.name!r} is the same folder")
        elif inside(second.path, first.path):
            yield Problem(path=path, text=f"{second.path!r} is inside store {first.name!r} ({first.path})")
        elif inside(first.path, second.path):
            yield Problem(path=path, text=f"store {first.name!r} ({first.path}) is inside {second.path!r}")


def _store_and_disk(store: Store, disks: dict[str, Disk]) -> Iterator[Problem]:
    path = ("stores", store.name, "disk")
    if not store.disk:
        for disk in disks.values():
            if disk.host == store.host and inside(store.path, disk.mount):
                yield Problem(path=path, text=f"is missing: {store.path!r} is on disk {disk.name!r} ({disk.mount})")
        return
    declared = disks.get(store.disk)
    if declared is None:
        return
    if declared.host != store.host:
        yield Problem(
            path=path, text=f"disk {declared.name!r} is on host {declared.host!r}, the store on {store.host!r}"
        )
    elif not inside(store.path, declared.mount):
        yield Problem(
            path=("stores", store.name, "path"),
            text=f"{store.path!r} is not on disk {declared.name!r}, which is mounted at {declared.mount!r}",
        )


def _store_and_source(store: Store, disk: Disk | None, job: Job, site: Site) -> Iterator[Problem]:
    """Check the filesystems that are named; where they are all found, the plan leaves stores out."""
    if not isinstance(job.options, SnapshotOptions):
        return
    sources, keys = job.options.filesystems, ("jobs", job.name, "filesystems")
    if not sources:
        hosts = [host for host in site.hosts if host.name == job.host]
        sources, keys = (hosts[0].filesystems, ("hosts", job.host, "filesystems")) if hosts else ((), keys)
    for source in sources:
        if inside(source, store.path):
            yield Problem(path=keys, text=f"{source!r} is inside store {store.name!r} ({store.path})")
    # The stores of other hosts are left out by the plan; a job's own on what it copies is no backup.
    if store.name != job.options.store:
        return
    above = (source for source in sources if inside(store.path, source) and source != store.path)
    around = max(above, key=len, default="")
    apart = disk is not None and not inside(around, disk.mount)
    if around and not apart:
        yield Problem(
            path=("jobs", job.name, "store"),
            text=f"store {store.name!r} ({store.path}) is inside {around!r}, which the job copies: "
            "the two would be lost together; put the store on a disk of its own",
        )
