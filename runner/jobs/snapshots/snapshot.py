"""Kind `snapshot`: a complete copy of a host's filesystems into one folder of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from runner.agent.snapshots.contract_restored import RestoredListing
from runner.config.overlap import inside
from runner.jobs.bundled import Bundled
from runner.jobs.database import dump_findings
from runner.jobs.retention import prune, recycling
from runner.jobs.retention import steps as expiring
from runner.jobs.snapshots import clocks, fallen, filesystems, findings, inventory, lost, machine, restored
from runner.jobs.snapshots import room as making_room
from runner.jobs.snapshots.filesystems import emptied
from runner.jobs.snapshots.report import snapshot_report
from runner.jobs.snapshots.steady import steps as steady
from runner.jobs.snapshots.steady.between import SCANS, Manner, Source, Target, real
from runner.model.copies import interrupted
from runner.model.facts import Facts, Filesystem, HostFacts, Probe, Snapshot, StoreFacts
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.options import SnapshotOptions
from runner.model.plan import Finding, Forecast, PlannedJob, Skip
from runner.model.site import Host, Job, Site, Store
from runner.tools import agent, rsync, ssh

# A filesystem that is missing is missed for as many snapshots, then taken for gone.
_REMEMBERED = 7


class SnapshotKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "snapshot"
    options = SnapshotOptions
    report = staticmethod(snapshot_report)

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """What was restored to the host: it is in no snapshot, and goes when it is old."""
        return restored.probes(site, job)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """One snapshot of the host as it is mounted now; a skip where it could not be faithful."""
        options: SnapshotOptions = job.options
        store = site.store(options.store)
        source, keeper = facts.hosts[job.host], facts.hosts[store.host]
        if refusal := findings.unusable(site, job, store, source, keeper):
            return _skipped(refusal)
        known = clocks.Clocks(site=site, job=job, store=store, facts=facts)
        name = clocks.name_or_why(known)
        if isinstance(name, Finding):
            return _skipped(name)
        side = restored.read(site, job, source)
        work = _SnapshotWork(
            site=site, job=job, store=store, source=source, keeper=keeper, name=name, now=now, restored=side
        )
        made, gone = _draft(work), lost.gone(site, store, facts)
        first = (replace(gone, source=job.name),) if gone else ()
        # What is gone is said first, and the job that finds it does not end as done.
        planned = made.planned and replace(made.planned, headline=gone.text if gone else "", doubt=gone is not None)
        return replace(made, planned=planned, findings=(*first, *clocks.doubts(known), *made.findings))

    def doubt(self, site: Site, job: Job, facts: Facts, forecast: Forecast) -> Finding | None:
        """See Beyond: a store that was written to before and is empty now may be another disk, and a host another."""
        return emptied(site, job, facts, runs=forecast.runs) or machine.another(site, job, facts)

    def done(self, site: Site, job: Job, facts: Facts) -> Skip | None:
        """See Beyond: the snapshot that the job has sealed for its instant."""
        store = site.store(job.options.store)
        sealed = prune.counted(facts.hosts[store.host].stores[store.name])
        made = [snapshot for snapshot in sealed if (snapshot.job, snapshot.instant) == (job.name, job.instant)]
        if not made:
            return None
        return Skip(job=job.name, reason=f"{store.name}/{made[-1].name} is sealed", done=made[-1].sealed)

    def together(self, site: Site, jobs: Sequence[Job], drafts: tuple[Draft, ...], facts: Facts) -> tuple[Draft, ...]:
        """See Beyond: no snapshot expires twice, and one that comes after an old dump says so."""
        planned = {draft.planned.name for draft in drafts if draft.planned}
        old = dump_findings.stale(site, jobs, planned, facts)
        known = {finding for draft in drafts for finding in draft.findings}
        fresh = tuple(finding for finding in old if finding not in known)
        return (*prune.once(drafts), *((Draft(findings=fresh),) if fresh else ()))


def _skipped(finding: Finding) -> Draft:
    skip = Skip(job=finding.source, reason=finding.text, cause=finding.cause)
    return Draft(skip=skip, findings=(finding,))


@dataclass(frozen=True, kw_only=True, slots=True)
class _SnapshotWork:
    """A snapshot of `source` that is to be called `name`, in `store` of `keeper`."""

    site: Site
    job: Job
    store: Store
    source: HostFacts
    keeper: HostFacts
    name: str
    now: datetime
    restored: RestoredListing | None

    @property
    def host(self) -> Host:
        return self.site.host(self.job.host)

    @property
    def stored(self) -> StoreFacts:
        return self.keeper.stores[self.store.name]

    @property
    def own(self) -> tuple[Snapshot, ...]:
        """The sealed snapshots of this host. A folder without a record may be anything, and is none."""
        return tuple(snapshot for snapshot in prune.counted(self.stored) if snapshot.host == self.host.name)

    @property
    def rotational(self) -> bool:
        """Whether the store's disk turns, as jobs.toml or else the kernel says; where nobody knows it, it may."""
        declared = self.site.disk(self.store.disk).rotational if self.store.disk else None
        return (self.stored.rotational if declared is None else declared) is not False

    def remote(self, host: str) -> str:
        """`host:` where rsync must reach it over ssh, else ""."""
        far = self.site.live and self.host.name != self.keeper.name and host != self.site.controller
        return f"{host}:" if far else ""


def _draft(work: _SnapshotWork) -> Draft:
    site, job, store, stored, host = work.site, work.job, work.store, work.stored, work.host
    choice = _choice(work)
    if not choice.chosen:
        text = f"no filesystem of {job.host} can be copied"
        return _skipped(findings.attention(job, text, "compare `filesystems` in jobs.toml with what is mounted there"))
    room = making_room.room(stored, store.retention, _need(work, choice), work.now)
    if room.fit == making_room.Fit.FULL:
        return _skipped(findings.does_not_fit(job, store, stored, room))
    where = expiring.place(site, job.name, store, stored, plan_id(work.now))
    source, target = _source(work, choice), _target(work, choice, where.at, room)
    manner = Manner(
        job=job.name,
        runs_on=host.name if host.name == work.keeper.name and site.live else site.controller,
        rsh=ssh.rsh(site.state) if source.remote or target.remote else (),
        checksum=rsync.checksum(work.source.rsync, work.keeper.rsync),
        timeout=int(job.options.timeout.total_seconds()),
        started=work.now.isoformat(),
        since=(work.source.now or work.now).isoformat(),
        guard_mounts=not host.root,
        halves=rsync.takes_up_halves(work.keeper.rsync),
        instant=job.instant.isoformat() if job.instant else "",
        # A disk that cuts times differs in all of them.
        compare_every=0 if stored.whole_seconds else job.options.compare_every,
    )
    making = expiring.steps(where, room.decision, may_fail=True) if room.decision else ()
    # `begin` refuses a second one likewise, but nothing may expire for it.
    due = (steady.instant_step(target, manner),) if manner.instant and making else ()
    about, scratch = inventory.steps(site, job, where.at, work.name), restored.steps(site, job, work.restored, work.now)
    planned = PlannedJob(
        name=job.name,
        kind="snapshot",
        after=job.after,
        locks=(where.lock,),
        writes=f"{store.name}/{work.name}",
        resumes=len(target.partials),
        about=fallen.usual(work.own, store.retention),
        forecast=_foreseen(room.need, work),
    )
    return Draft(
        planned=planned,
        steps=(*due, *making, *steady.steps(source, target, manner, (*about, *scratch))),
        findings=(
            *findings.left_out(site, job, choice, _left_inside(work, choice)),
            *findings.findings(site, job, choice, work.source, stored),
            *findings.short(job, store, stored, room),
            *restored.findings(site, job, work.source, work.now),
        ),
        anew=not work.own,
    )


def _need(work: _SnapshotWork, choice: filesystems.FilesystemChoice) -> making_room.Need:
    had = {mount for snapshot in work.own for mount in snapshot.filesystems}
    fresh = [filesystem for filesystem in choice.chosen if filesystem.mount not in had]
    # What is left out of a filesystem is not among what it says is used, unless something else is mounted there.
    tops = sorted(work.source.filesystems, key=lambda filesystem: len(filesystem.mount), reverse=True)
    left_out = (*work.job.options.exclude, *_kept_empty(work))
    owners = (next((top.mount for top in tops if inside(path, top.mount)), "") for path in left_out)
    return making_room.need(prune.counted(work.stored), fresh, frozenset(owners))


def _foreseen(need: making_room.Need, work: _SnapshotWork) -> Forecast:
    """Where there is nothing to share with all is copied; what comes otherwise is known from history alone."""
    return Forecast() if work.own or not need.bytes else Forecast(bytes=need.bytes, files=need.inodes)


def _choice(work: _SnapshotWork) -> filesystems.FilesystemChoice:
    host, before = work.host, work.own[-_REMEMBERED:]
    return filesystems.choose(
        work.source.filesystems,
        # Stand-ins are other folders than those that jobs.toml names, and all of them are copied.
        declared=() if host.root else work.job.options.filesystems or host.filesystems,
        stores=() if host.root else _stores(work),
        # What stands in is what jobs.toml names now, and nothing else is missed.
        expected=() if host.root else tuple(mount for snapshot in before for mount in snapshot.filesystems),
        excluded=(*work.job.options.exclude, *restored.left_out(work.site, work.restored, work.now)),
    )


def _stores(work: _SnapshotWork) -> tuple[str, ...]:
    # Where they are declared to be, and where they really are: a link on the way may lead elsewhere.
    declared = {store.path for store in work.site.stores if store.host == work.source.name}
    return tuple(sorted(declared | {stored.path for stored in work.source.stores.values()}))


def _left_inside(work: _SnapshotWork, choice: filesystems.FilesystemChoice) -> findings.LeftInside:
    return filesystems.left_inside(_mounts(work), _tops(work, choice), choice.left)


def _mounts(work: _SnapshotWork) -> Sequence[Filesystem]:
    if not work.host.root:
        return work.source.filesystems
    return [mount for mount in work.source.inside if not any(inside(mount.mount, each) for each in _kept_empty(work))]


def _tops(work: _SnapshotWork, choice: filesystems.FilesystemChoice) -> Sequence[Filesystem]:
    # In the sandbox what plays / is a folder elsewhere, and so is what is mounted in it.
    return [replace(each, mount=real(each)) for each in choice.chosen]


def _kept_empty(work: _SnapshotWork) -> tuple[str, ...]:
    """What is no part of any source: every store of the host, and in the sandbox the sandbox too."""
    site = work.site
    if not work.host.root:
        return _stores(work)
    return (*sorted({site.host(store.host).at(store.path) for store in site.stores}), site.sandbox)


def _source(work: _SnapshotWork, choice: filesystems.FilesystemChoice) -> Source:
    host = work.host
    inner = filesystems.inner_mounts(_mounts(work), _tops(work, choice))
    scans = host.at(SCANS)
    emptied = tuple(dict.fromkeys((*_kept_empty(work), scans, *inner.emptied)))
    return Source(
        host=host.name,
        filesystems=choice.chosen,
        absent=choice.absent,
        emptied=emptied,
        # In the sandbox a stand-in is a real folder of this machine, and so is an excluded path.
        left_out=(
            *(path if host.stand_ins else host.at(path) for path in work.job.options.exclude),
            *restored.left_out(work.site, work.restored, work.now),
            *(path for path in inner.left_out if path not in work.job.options.exclude),
        ),
        accepted=work.job.options.accept,
        program=agent.program(host),
        remote=work.remote(host.name),
        # The sandbox is all on one machine.
        machine="" if host.root else work.source.machine,
        scans=f"{scans}/{work.store.name}",
    )


def _target(
    work: _SnapshotWork, choice: filesystems.FilesystemChoice, at: agent.At, room: making_room.RoomToMake
) -> Target:
    recorded = prune.counted(work.stored)
    going = {expiry.snapshot.name for expiry in room.decision.expire} if room.decision else set()
    mounts = tuple(filesystem.mount for filesystem in choice.chosen)
    coming = Snapshot(name=work.name, job=work.job.name, host=work.host.name, filesystems=mounts)
    gone = recycling.for_coming(work.site, work.store, work.stored, coming) if not going else None
    if gone:
        going.add(gone.snapshot.name)
    # They go next: who shares with them has to measure anew what that frees, so that no run would come to it.
    measured_first = room.decision.unmeasured if room.decision else ()
    stay = [snapshot for snapshot in work.own if snapshot.name not in going]
    known = sorted({mount for snapshot in stay for mount in snapshot.filesystems})
    policy = work.store.retention
    return Target(
        host=work.keeper.name,
        at=at,
        store=work.store.name,
        name=work.name,
        partials=interrupted(work.stored),
        basis=recorded[-1].name if recorded else "",
        bases=tuple((mount, name) for mount in known for name in fallen.bases(stay, mount, measured_first)),
        remote=work.remote(work.keeper.name),
        has_trash=bool(work.stored.trash),
        recycle=gone.snapshot.name if gone else "",
        why=gone.reason if gone else "",
        least=policy.min if policy else 0,
        per_day=policy.per_day if policy else 0,
        shrink=int(policy.max_shrink) if policy and gone else 100,
        whole_seconds=work.stored.whole_seconds,
        rotational=work.rotational,
        trusts=work.keeper.rsync.trusts,
        confines=work.site.live and work.keeper.uid == 0 and work.site.host(work.keeper.name).confined,
        damaged=tuple(each for each in work.stored.damaged if each.host == work.host.name),
    )
