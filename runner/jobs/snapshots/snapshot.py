"""Kind `snapshot`: a complete copy of a host's filesystems into one folder of a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runner.jobs.bundled import Bundled
from runner.jobs.database import dump_findings
from runner.jobs.retention import prune
from runner.jobs.retention import steps as expiring
from runner.jobs.snapshots import filesystems, findings, inventory, link_dest
from runner.jobs.snapshots import room as making_room
from runner.jobs.snapshots.filesystems import emptied
from runner.jobs.snapshots.report import snapshot_report
from runner.model.facts import Facts, HostFacts, Snapshot, StoreFacts
from runner.model.kind import Draft
from runner.model.names import next_snapshot_name, plan_id
from runner.model.options import SnapshotOptions
from runner.model.plan import Finding, Forecast, Lock, PlannedJob, Skip
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Host, Job, Site, Store
from runner.tools import agent, rsync, ssh

# A filesystem that is missing is missed for as many snapshots, then taken for gone.
_REMEMBERED = 7


class SnapshotKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "snapshot"
    options = SnapshotOptions

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """One snapshot of the host as it is mounted now; a skip where it could not be faithful."""
        wanted: SnapshotOptions = job.options
        place = site.store(wanted.store)
        source, target = facts.hosts[job.host], facts.hosts[place.host]
        found = target.stores[place.name]
        refusal = findings.unusable(site, job, place, source, target)
        if refusal:
            return _skipped(refusal)
        taken = [*(one.name for one in found.sealed), *(one.name for one in found.partials)]
        fresh = next_snapshot_name(now, taken)
        if fresh is None:
            return _skipped(Finding(
                severity="attention", source=job.name,
                text=f"the clock says {now:%Y-%m-%d %H:%M} UTC, before the newest snapshot {max(taken)}",
                do=f"set the clock of {site.controller}; snapshots must be in order of time",
            ))  # fmt: skip
        return _draft(site, job, (source, target), (fresh, now))

    def doubt(self, site: Site, job: Job, facts: Facts, forecast: Forecast) -> Finding | None:
        """See Beyond: a store that was written to before and is empty now may be another disk."""
        return emptied(site, job, facts, runs=forecast.runs)

    def together(self, site: Site, jobs: Sequence[Job], drafts: tuple[Draft, ...], facts: Facts) -> tuple[Draft, ...]:
        """See Beyond: no snapshot expires twice, and one that comes after an old dump says so."""
        planned = {draft.planned.name for draft in drafts if draft.planned}
        old = dump_findings.stale(site, jobs, planned, facts)
        known = {finding for draft in drafts for finding in draft.findings}
        fresh = tuple(finding for finding in old if finding not in known)
        return (*prune.once(drafts), *((Draft(findings=fresh),) if fresh else ()))

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return snapshot_report(job, outcomes, around)


def _skipped(finding: Finding) -> Draft:
    return Draft(skip=Skip(job=finding.source, reason=finding.text), findings=(finding,))


def _draft(site: Site, job: Job, hosts: tuple[HostFacts, HostFacts], named: tuple[str, datetime]) -> Draft:
    source_facts, keeper_facts = hosts
    fresh, now = named
    place = site.store(job.options.store)
    store_facts = keeper_facts.stores[place.name]
    host, keeper = site.host(job.host), site.host(place.host)
    choice = _choice(site, job, source_facts, store_facts)
    if not choice.chosen:
        return _skipped(Finding(
            severity="attention", source=job.name,
            text=f"no filesystem of {job.host} can be copied",
            do="compare `filesystems` in jobs.toml with what is mounted there",
        ))  # fmt: skip
    source = _source(site, (host, keeper), choice, (job, source_facts))
    wanted = making_room.need(store_facts.sealed, choice.chosen)
    room = making_room.room(store_facts, place.retention, wanted, now)
    if room.full:
        return _skipped(_full(job, place, room))
    target = _target(site, (host, keeper), store_facts, (place, fresh, plan_id(now), room))
    manner = link_dest.Manner(
        job=job.name, runs_on=_runs_on(site, host, keeper), started=now.isoformat(),
        since=(source_facts.now or now).isoformat(),
        rsh=ssh.rsh(f"{site.state}/ssh_config") if source.remote or target.remote else (),
        checksum=rsync.checksum(source_facts.rsync, keeper_facts.rsync),
        halves=rsync.takes_up_halves(keeper_facts.rsync),
        timeout=int(job.options.timeout.total_seconds()),
        guard_mounts=not host.root,
    )  # fmt: skip
    where = expiring.place(site, job.name, place, store_facts, plan_id(now))
    making = expiring.steps(where, room.decision, may_fail=True) if room.decision else ()
    disk = (link_dest.disk_step(target, manner),) if place.disk else ()
    about = inventory.steps(site, job, target.at, fresh)
    lock = Lock(
        resource=f"store {place.name}", host=place.host,
        argv=agent.hold(target.at, who=f"{job.name} of {site.controller}"),
    )  # fmt: skip
    planned = PlannedJob(
        name=job.name, kind="snapshot", after=job.after, locks=(lock,), writes=f"{place.name}/{fresh}",
        resumes=len(target.partials),
    )  # fmt: skip
    return Draft(
        planned=planned,
        steps=(*disk, *making, *link_dest.steps(source, target, manner, about)),
        findings=(*findings.findings(site, job, choice, source_facts, store_facts), *_short(job, room)),
    )


def _full(job: Job, place: Store, room: making_room.Room) -> Finding:
    why = room.decision.frozen if room.decision and room.decision.frozen else "nothing in it may expire"
    return Finding(
        severity="attention",
        source=job.name,
        text=f"store {place.name} is full, the next snapshot needs about {room.need.words()}, and {why}",
        do="see what else fills the disk, take a larger one, or lower `min`; what was sent is kept",
    )


def _short(job: Job, room: making_room.Room) -> tuple[Finding, ...]:
    if room.decision is None or not room.decision.frozen:
        return ()
    text = f"there is little room, and nothing expires: {room.decision.frozen}"
    return (Finding(severity="attention", source=job.name, text=text, do=room.decision.do),)


def _newest(found: StoreFacts) -> Snapshot | None:
    # A folder without a record was not sealed by this tool: it may be anything, and is no basis.
    recorded = [one for one in found.sealed if one.recorded]
    return recorded[-1] if recorded else None


def _choice(site: Site, job: Job, source: HostFacts, found: StoreFacts) -> filesystems.Choice:
    host = site.host(job.host)
    before = [one for one in found.sealed if one.recorded and one.host == host.name][-_REMEMBERED:]
    return filesystems.choose(
        source.filesystems,
        # Stand-ins are other folders than those that jobs.toml names, and all of them are wanted.
        declared=() if host.root else job.options.filesystems or host.filesystems,
        stores=() if host.root else _stores(site, source),
        # What stands in is what jobs.toml says now, and nothing else is missed.
        expected=() if host.root else tuple(mount for one in before for mount in one.filesystems),
        excluded=job.options.exclude,
    )


def _stores(site: Site, source: HostFacts) -> tuple[str, ...]:
    # Where they are declared to be, and where they really are: a link on the way may lead elsewhere.
    declared = {one.path for one in site.stores if one.host == source.name}
    return tuple(sorted(declared | {found.path for found in source.stores.values()}))


def _source(
    site: Site, pair: tuple[Host, Host], choice: filesystems.Choice, what: tuple[Job, HostFacts]
) -> link_dest.Source:
    host, keeper = pair
    job, found = what
    stores = _stores(site, found)
    if host.root:
        stores = tuple(sorted({site.host(one.host).at(one.path) for one in site.stores}))
    # In the sandbox a stand-in is a real folder of this machine, and so is an excluded path.
    left_out = tuple(path if host.stand_ins else host.at(path) for path in job.options.exclude)
    return link_dest.Source(
        host=host.name,
        filesystems=choice.chosen,
        absent=choice.absent,
        emptied=(*stores, *((site.sandbox,) if host.root else ())),
        left_out=left_out,
        program=agent.program(host),
        remote=f"{host.name}:" if _far(site, host, keeper, host) else "",
    )


def _target(
    site: Site, pair: tuple[Host, Host], found: StoreFacts, what: tuple[Store, str, str, making_room.Room]
) -> link_dest.Target:
    host, keeper = pair
    place, fresh, plan, room = what
    disk = site.disk(place.disk) if place.disk else None
    newest = _newest(found)
    at = agent.At(
        program=agent.program(keeper),
        path=found.path,
        plan=plan,
        mount=disk.mount if disk and not keeper.root else "",
        uuid=(disk.uuid or found.uuid) if disk and not keeper.root else "",
    )
    return link_dest.Target(
        host=keeper.name,
        at=at,
        store=place.name,
        name=fresh,
        partials=found.partials,
        basis=newest.name if newest else "",
        bases=_bases(host, found, room),
        remote=f"{keeper.name}:" if _far(site, host, keeper, keeper) else "",
        has_trash=bool(found.trash),
    )


def _bases(host: Host, found: StoreFacts, room: making_room.Room) -> tuple[tuple[str, str], ...]:
    going = {one.snapshot.name for one in room.decision.expire} if room.decision else set()
    latest = {
        mount: one.name
        for one in found.sealed
        if one.recorded and one.host == host.name and one.name not in going
        for mount in one.filesystems
    }
    return tuple(sorted(latest.items()))


def _runs_on(site: Site, host: Host, keeper: Host) -> str:
    return host.name if host.name == keeper.name and site.live else site.controller


def _far(site: Site, host: Host, keeper: Host, which: Host) -> bool:
    return site.live and host.name != keeper.name and which.name != site.controller
