"""What a schema cannot say of jobs.toml: names that must exist, and things that do not go together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runner.config import here, order, overlap, remedy
from runner.config.complaints import KeyPath, Problem, nearest, no_such
from runner.model.options import DrillOptions, SnapshotOptions
from runner.model.site import Job, Site

Names = tuple[str, ...] | None
# Where something is named, what it is, and its name.
Reference = tuple[KeyPath, str, str]
_UPGRADING = frozenset(("updates", "upgrade"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """Every name that jobs.toml declares, also those whose table is wrong and so not in the Site.

    None stands for a section that cannot be read: what refers to it is not checked. `sandbox` are
    the hosts that have stand-ins, `spoken` every text of the tables that are not in the Site.
    """

    hosts: Names = ()
    disks: Names = ()
    stores: Names = ()
    jobs: Names = ()
    sandbox: tuple[str, ...] = ()
    spoken: frozenset[str] = frozenset()


def check(site: Site, declared: Declared, families: Sequence[str] = ()) -> tuple[Problem, ...]:
    """Find every contradiction in the site; things missing from it but declared are passed over.

    `families` is what `packages` of a host may be, for the message where it is missing.
    """
    return (
        *_undeclared(tuple(_references(site, declared)), declared),
        *_dumped(site),
        *_retention(site),
        *_packages(site, families),
        *_alone(site),
        *_jumps(site),
        *overlap.check(site),
        *order.check(site),
        *_reach(site),
    )


def _undeclared(references: Sequence[Reference], declared: Declared) -> Iterator[Problem]:
    """Find names that nothing has. Where several say one such name, the mistake is in the table that they mean."""
    known: Mapping[str, Names] = {
        "host": declared.hosts,
        "disk": declared.disks,
        "store": declared.stores,
        "job": declared.jobs,
    }
    places: dict[tuple[str, str], list[KeyPath]] = {}
    for path, what, name in references:
        names = known[what]
        if names is not None and name not in names:
            places.setdefault((what, name), []).append(path)
    for (what, name), paths in places.items():
        names = known[what] or ()
        spoken = {other for _, kind, other in references if kind == what} | declared.spoken
        table = nearest(name, names)
        if len(paths) > 1 and table and table not in spoken:
            *most, last = dict.fromkeys(str(path[0]) for path in paths)
            speakers = f"{', '.join(most)} and {last}" if most else last
            header = f"[{what}s.{remedy.quoted(name) if '.' in name else name}]"
            yield Problem(path=(f"{what}s", table), text=f"{speakers} speak of {name!r}: did you mean {header}?")
        else:
            yield from (Problem(path=path, text=no_such(what, name, names)) for path in paths)


def _references(site: Site, declared: Declared) -> Iterator[Reference]:
    if site.controller:
        yield ("site", "controller"), "host", site.controller
    for name in declared.sandbox:
        yield ("sandbox", name), "host", name
    for disk in site.disks:
        yield ("disks", disk.name, "host"), "host", disk.host
    for store in site.stores:
        yield ("stores", store.name, "host"), "host", store.host
        if store.disk:
            yield ("stores", store.name, "disk"), "disk", store.disk
    for job in site.jobs:
        if isinstance(job.options, DrillOptions) and job.options.database:
            yield ("jobs", job.name, "database"), "job", job.options.database
        if job.host and not _is_hosted(site, job):
            yield ("jobs", job.name, "host"), "host", job.host
        if disk_name := getattr(job.options, "disk", ""):
            yield ("jobs", job.name, "disk"), "disk", disk_name
        if store_name := store_of(job):
            yield ("jobs", job.name, "store"), "store", store_name
        if job.runs_on:
            yield ("jobs", job.name, "runs_on"), "host", job.runs_on
        for place, name in enumerate(job.after):
            yield ("jobs", job.name, "after", place), "job", name


def _is_hosted(site: Site, job: Job) -> bool:
    """Whether the job has the host of its store or disk, so that the mistake in its name is there and told there."""
    stores = (store.host for store in site.stores if store.name == store_of(job))
    disks = (disk.host for disk in site.disks if disk.name == getattr(job.options, "disk", ""))
    return not isinstance(job.options, SnapshotOptions) and job.host in (*stores, *disks)


def store_of(job: Job) -> str:
    """Give the store that the job's options name, or "": a kind of a plugin may have none."""
    store = getattr(job.options, "store", "")
    return store if isinstance(store, str) else ""


def _dumped(site: Site) -> Iterator[Problem]:
    """A drill tries the dumps of a job that makes some; one whose own table is wrong is passed over."""
    kinds = {job.name: job.kind for job in site.jobs}
    for job in site.jobs:
        dumping = job.options.database if isinstance(job.options, DrillOptions) else ""
        if dumping and kinds.get(dumping, "dump") != "dump":
            text = f"job {dumping!r} is of kind {kinds[dumping]!r}, not dump"
            yield Problem(path=("jobs", job.name, "database"), text=text)


def _packages(site: Site, families: Sequence[str]) -> Iterator[Problem]:
    hosts = {host.name: host for host in site.hosts}
    for job in site.jobs:
        host = hosts.get(job.host)
        if job.kind in _UPGRADING and host and not host.packages:
            *others, last = (f'"{name}"' for name in sorted(families) or ("...",))
            known = f"{', '.join(others)} or {last}" if others else last
            text = f"is missing: job {job.name!r} upgrades them; say packages = {known}"
            yield Problem(path=("hosts", host.name, "packages"), text=text)


def _alone(site: Site) -> Iterator[Problem]:
    """A host that starts a job by itself reaches no other, and does not hear how another's jobs end."""
    jobs = {job.name: job for job in site.jobs}
    hosts = {host.name for host in site.hosts}
    for job in site.jobs if site.controller in hosts else ():
        starts = here.starter(site, job)
        if starts not in hosts:
            continue
        if starts != site.controller and job.kind not in here.ALONE:
            kinds = " and ".join(here.ALONE)
            text = f"a job of kind {job.kind!r} is for the controller {site.controller!r}; others start only {kinds}"
            yield Problem(path=("jobs", job.name, "runs_on"), text=text)
        elif starts not in (site.controller, job.host):
            text = f"{starts!r} can only start what it does to itself, and this job is for {job.host!r}"
            yield Problem(path=("jobs", job.name, "runs_on"), text=text)
        for place, name in enumerate(job.after):
            if name in jobs and (other := here.starter(site, jobs[name])) != starts:
                text = f"job {name!r} is started on {other!r} and this one on {starts!r}: neither hears of the other"
                yield Problem(path=("jobs", job.name, "after", place), text=text)


def _jumps(site: Site) -> Iterator[Problem]:
    """A host is not on the way to itself."""
    for host in site.hosts:
        if host.jump and host.jump.rpartition("@")[2] in (host.name, host.address):
            text = f"{host.jump!r} is this host itself: name the one on the way to it, or take jump out"
            yield Problem(path=("hosts", host.name, "jump"), text=text)


def _retention(site: Site) -> Iterator[Problem]:
    for store in site.stores:
        policy = store.retention
        if policy is not None and policy.min > policy.max:
            yield Problem(
                path=("stores", store.name, "retention"), text=f"min {policy.min} is more than max {policy.max}"
            )


def _reach(site: Site) -> Iterable[Problem]:
    """Check what only matters where hosts are really reached."""
    if not site.live:
        return
    for host in site.hosts:
        if not host.address and host.name != site.controller:
            yield Problem(path=("hosts", host.name, "address"), text="is missing: the site is live")
    hosts = {store.name: store.host for store in site.stores}
    for job in site.jobs:
        if not isinstance(job.options, SnapshotOptions) or job.options.store not in hosts:
            continue
        if site.controller and site.controller not in (job.host, hosts[job.options.store]):
            yield Problem(
                path=("jobs", job.name, "store"),
                text=f"{job.host!r} and the store's host {hosts[job.options.store]!r} are both away from"
                f" the controller {site.controller!r}; one end of a snapshot must be there",
            )
