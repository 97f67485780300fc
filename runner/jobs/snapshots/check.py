"""Kind `check`: whether a store has what it should have; the guide's daily check of the minimum, and more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median

from runner.agent.retention.contract.links import Links
from runner.jobs.bundled import Bundled, unusable
from runner.jobs.policy.served import unbound
from runner.jobs.policy.unconfined import unconfined
from runner.jobs.retention import minimum, prune, retention, steps
from runner.jobs.retention.doubts import by_host, sources
from runner.jobs.retention.room import brought, is_full
from runner.jobs.retention.runway import growth, runway
from runner.jobs.retention.thinning import counting, is_clean
from runner.jobs.snapshots import fallen, filesystems, foreign, lost, mounted
from runner.jobs.snapshots import proven as drill
from runner.jobs.snapshots.findings import LARGER
from runner.jobs.snapshots.report import check_report
from runner.model.cause import Fault, of_store
from runner.model.copies import interrupted, under_way
from runner.model.facts import Facts, Snapshot, Space, StoreFacts
from runner.model.kind import Draft
from runner.model.names import snapshot_time
from runner.model.options import CheckOptions, DrillOptions, SnapshotOptions
from runner.model.plan import Effect, Finding, PlannedJob
from runner.model.role import Role
from runner.model.site import Job, Site, Store
from runner.model.text import age, count, excerpt, length, one_line, size

_LINKS_PATIENCE = 3600
_GREW = 10
_USUAL = 14
_LARGE = 1 << 26
_MANY = 10_000
_OLD_PARTIAL = timedelta(days=2)
_SHOWN = 5
_LEAD = 90


class CheckKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "check"
    options = CheckOptions
    report = staticmethod(check_report)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Everything a person should know about the store now; two READ steps look again when it runs."""
        store = site.store(job.options.store)
        stored = facts.hosts[store.host].stores[store.name]
        if skipped := unusable(job, store, stored, "put that right; until then nothing is backed up to it"):
            return skipped
        sealed = prune.counted(stored)
        decision = retention.decide_unless(stored.doubted, sealed, store.retention, stored.space, now)
        gone, older = lost.gone(site, store, facts), lost.older(site, store, facts)
        few = minimum.few(store, sealed, older, now)
        look = _StoreLook(store=store, facts=stored, options=job.options, now=now, sealed=sealed, decision=decision)
        # Of one that was emptied, or lost its records, it is said already that it has none.
        is_bare = gone is not None and not sealed
        doubts = (
            *((gone,) if gone else ()),
            *((few,) if few else ()),
            *(() if is_bare else (*foreign.doubts(store, stored), *_age(look))),
            *_growth(look),
            *_partials(look),
            *_room(look),
        )
        doubts = (*doubts, *_uncovered(site, store, facts), *_unproven(site, look))
        doubts = (*doubts, *mounted.harmful(site, store, facts), *lost.lies_aside(store, stored))
        doubts = (*doubts, *unbound(site, store, facts), *unconfined(site))
        where = steps.place(site, job.name, store, stored, plan="")
        most = store.retention.max if store.retention else len(stored.sealed)
        argv = where.at.call("links", Links(stored.path, most), idle=True)
        why = "whether the files with most names will run out of links before max"
        links = replace(where.step("links", Role.LINKS, Effect.READ, argv, why), timeout=_LINKS_PATIENCE)
        planned = PlannedJob(name=job.name, kind=self.name, after=job.after, headline=_headline(look, doubts))
        findings = tuple(replace(doubt, source=job.name) for doubt in doubts)
        return Draft(planned=planned, steps=(where.count, links), findings=findings)


@dataclass(frozen=True, kw_only=True, slots=True)
class _StoreLook:
    store: Store
    facts: StoreFacts
    options: CheckOptions
    now: datetime
    sealed: tuple[Snapshot, ...]
    decision: retention.Decision

    @property
    def clean(self) -> int:
        """How many count towards `min`."""
        policy = self.store.retention
        return counting(self.sealed, policy).count if policy else sum(map(is_clean, self.sealed))

    @property
    def newest(self) -> datetime | None:
        return snapshot_time(self.sealed[-1].name) if self.sealed else None


def _doubt(text: str, do: str = "") -> Finding:
    return Finding(severity="attention", text=text, source="", do=do)


def _age(look: _StoreLook) -> Sequence[Finding]:
    name, newest = look.store.name, look.newest
    if newest is not None and look.now - newest <= look.options.newest_within:
        return ()
    copy = under_way(look.facts)
    begun = snapshot_time(copy.name) if copy else None
    has = f"the newest snapshot of store {name} is {length(look.now - newest)} old" if newest else ""
    # The first copy takes as long as it takes, which its own timeout limits.
    if copy and (newest is None or (begun and look.now - begun <= look.options.newest_within)):
        text = f"{has or f'store {name} has no snapshot yet'}; copy {copy.name} is being made"
        return (Finding(severity="note", text=text, source=""),)
    if has:
        return (_doubt(has, "see in `runner status` how the job that writes it ended"),)
    if look.facts.space and is_full(look.facts.space, look.facts.partials):
        full = _doubt(f"store {name} has no snapshot, as there is no room for one", LARGER)
        return (replace(full, cause=of_store(name, Fault.FULL)),)
    return (_doubt(f"store {name} has no snapshot", "run the job that writes it"),)


def _growth(look: _StoreLook) -> Sequence[Finding]:
    lost = sources(*fallen.measured(look.sealed, look.store.retention))
    if lost:
        # The one that freezes the store is told with that.
        return tuple(_doubt(each.text, each.do) for each in lost if each != look.decision.cause)
    return tuple(finding for own in by_host(look.sealed) for finding in _grown(look, own))


def _grown(look: _StoreLook, own: Sequence[Snapshot]) -> Sequence[Finding]:
    """That the newest snapshot of a host brought far more than the others of it."""
    at = snapshot_time(own[-1].name)
    if own[-1] != look.sealed[-1] and (at is None or look.now - at > look.options.newest_within):
        # It was told when it was new.
        return ()
    # The first of all is whole, and no measure of what is usual.
    newest, usual = own[-1], own[1:-1][-_USUAL:]
    *before, brings = brought((*usual, newest))
    grown = [
        *_grew(brings, before, _LARGE, size),
        *_grew(
            newest.added_files,
            [snapshot.added_files for snapshot in usual],
            _MANY,
            lambda number: count(round(number), "file"),
        ),
    ]
    if not grown:
        return ()
    text = f"{newest.name} brought {' and '.join(grown)}"
    compared = f"runner diff {one_line(own[-2].name)} {one_line(newest.name)} --store {look.store.name}"
    return (replace(_doubt(text, "to see what is new:"), command=compared),)


def _grew(added: int | None, before: Sequence[int | None], least: int, words: Callable[[float], str]) -> Sequence[str]:
    known = [number for number in before if number is not None]
    if added is None or len(known) < 2 or added <= max(_GREW * median(known), least):
        return ()
    return (f"{words(added)}, {words(median(known))} is usual",)


def _partials(look: _StoreLook) -> Sequence[Finding]:
    times = [time for partial in interrupted(look.facts) if (time := snapshot_time(partial.name))]
    if not times or look.now - min(times) < _OLD_PARTIAL:
        return ()
    text = f"{count(len(times), 'interrupted snapshot')} left behind, the oldest of {min(times):%Y-%m-%d}"
    do = "run the job that writes this store, and see why it does not finish; if it never can:"
    return (replace(_doubt(text, do), command=f"runner snapshots {look.store.name} --drop-partials"),)


def _room(look: _StoreLook) -> Sequence[Finding]:
    decision = look.decision
    why = prune.frozen(decision, look.store)
    frozen = (why,) if why else ()
    spare = _spare(look)
    if look.facts.space is None or spare is None:
        return frozen
    ahead = runway(growth(look.sealed), spare, look.store.retention)
    days = min((days for days in (ahead.days_of_bytes, ahead.days_of_inodes) if days is not None), default=None)
    if days is None or days >= look.options.runway.days:
        return frozen
    beyond = "with all that may expire" if spare != look.facts.space else "and nothing may expire before min"
    text = f"store {look.store.name} fills up: {ahead.words()}, {beyond}"
    return (*frozen, _doubt(text, "a larger disk, fewer snapshots (min), or less to copy (exclude)"))


def _unproven(site: Site, look: _StoreLook) -> Sequence[Finding]:
    """What no drill has brought back for too long, of all that the store's drills try."""
    if look.options.proven_every is None or not look.sealed:
        return ()
    own = [job.options for job in site.jobs if isinstance(job.options, DrillOptions)]
    tries = [options for options in own if options.store == look.store.name]
    # The sandbox has no database, and of a store younger than that nothing need have been tried.
    database = site.live and any(options.database for options in tries)
    oldest = snapshot_time(look.sealed[0].name)
    young = oldest is not None and look.now - oldest < look.options.proven_every
    sorts = ("files", *(("database",) if database else ()))
    expected = tuple(sort for sort in sorts if sort in look.facts.proven or not young)
    stale = drill.stale(look.facts, expected, look.options.proven_every, look.now)
    return tuple(_doubt(f"store {look.store.name}: {doubt.text}", doubt.do) for doubt in stale)


def _spare(look: _StoreLook) -> Space | None:
    """The room that there would be without all above `min`, as far as is known; None where it is not."""
    policy, space = look.store.retention, look.facts.space
    above = look.clean - policy.min if policy else 0
    if space is None or above <= 0:
        return space
    measured = [each for each in look.sealed if each.freed_bytes is not None and each.freed_inodes is not None]
    if not measured:
        return None
    last = measured[-1]
    return replace(
        space,
        free=space.free + above * (last.freed_bytes or 0) // len(measured),
        inodes_free=space.inodes_free + above * (last.freed_inodes or 0) // len(measured),
    )


def _uncovered(site: Site, store: Store, facts: Facts) -> Sequence[Finding]:
    every = [job for job in site.jobs if isinstance(job.options, SnapshotOptions)]
    doubts = []
    for name in dict.fromkeys(job.host for job in every if job.options.store == store.name):
        host, known = site.host(name), facts.hosts.get(name)
        own = [job.options for job in every if job.host == name]
        declared = [options.filesystems or host.filesystems for options in own]
        if known is None or known.error or host.root or not all(declared):
            continue
        stores = {other.path for other in site.stores if other.host == name}
        choice = filesystems.choose(
            known.filesystems,
            declared=(),
            expected=(),
            stores=sorted(stores | {stored.path for stored in known.stores.values()}),
            excluded=[path for options in own for path in options.exclude],
        )
        copied = {mount for mounts in declared for mount in mounts}
        missing = [filesystem.mount for filesystem in choice.chosen if filesystem.mount not in copied]
        if missing:
            text = f"no job copies {', '.join(missing)} of {name}"
            kept, left = ("it", "or name it") if len(missing) == 1 else ("what is to be kept", "and name the rest")
            doubts.append(_doubt(text, f"add {kept} to `filesystems` in jobs.toml, {left} in `exclude`"))
    return doubts


def _headline(look: _StoreLook, doubts: Sequence[Finding]) -> str:
    wrong = [doubt.text for doubt in doubts if doubt.severity != "note"]
    newest = f", the newest {age(look.newest, look.now)}" if look.newest else ""
    ahead = runway(growth(look.sealed), look.facts.space, look.store.retention)
    lasts = f"; {ahead.words()}" if len(look.sealed) > 1 else ""
    head = f"{count(len(wrong), 'thing')} to look at ({excerpt(wrong[0], _LEAD)})" if wrong else "nothing to do"
    proven = drill.ages(drill.standing(look.facts), look.now)
    return f"{head}: {count(len(look.sealed), 'snapshot')}{newest}{lasts}{f'; {proven}' if proven else ''}"
