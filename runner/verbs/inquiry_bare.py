"""What `runner bare-metal` asks: a host's snapshot, what the host was then, the dumps that are in it."""

from __future__ import annotations

from runner.engine.asking import ask
from runner.jobs.snapshots import inventory, kept_about
from runner.jobs.snapshots.when import pick
from runner.model.errors import UsageError
from runner.model.facts import Snapshot
from runner.verbs.app import App
from runner.verbs.bare_metal import Lost
from runner.verbs.browse import Holding, holdings


def lost(app: App, host: str, when: str, store: str = "") -> Lost:
    """All that the page needs; asks only the hosts of stores. UsageError where there is no such snapshot."""
    known = {one.name: one for one in app.site.hosts}
    if host not in known:
        raise UsageError(f"there is no host '{host}' in jobs.toml", do=f"the hosts are: {', '.join(known)}")
    said = []
    for holding in holdings(app, (store,) if store else ()):
        own = tuple(one for one in holding.sealed if one.host == host)
        chosen = pick(own, when, zone=app.site.timezone, now=app.now()) if own else ""
        if isinstance(chosen, Snapshot):
            return _lost(app, host, holding, chosen)
        said.append(f"store {holding.store.name}: {chosen or holding.error or f'no snapshot of {host}'}")
    raise UsageError(
        "; ".join(said) or "there is no store",
        do="connect the disk to any machine: .runner/README.txt on it says what to do",
    )


def _lost(app: App, host: str, holding: Holding, chosen: Snapshot) -> Lost:
    assert holding.found is not None  # noqa: S101  (it has snapshots, so it was read)
    site, place, found = app.site, holding.store, holding.found
    dumps = kept_about.dumps(site, host)
    answer = ask(app.transports[place.host], inventory.of(found.path, chosen.name, dumps), {})
    users = {
        str(job.options.to): str(getattr(job.options, "user", ""))
        for job in site.jobs
        if job.kind == "dump" and job.host == host
    }
    jobs = (job.name for job in site.jobs if job.kind == "snapshot" and job.host == host)
    live = not site.host(place.host).root
    disk = site.disk(place.disk) if place.disk and live else None
    return Lost(
        host=site.host(host), snapshot=chosen, store=place, keeper=site.host(place.host),
        path=found.path, about=inventory.parse(answer), disk=disk,
        uuid=found.uuid or (disk.uuid if disk else ""), job=next(jobs, ""),
        controller=site.controller, users=users,
    )  # fmt: skip
