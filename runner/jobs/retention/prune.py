"""Kind `prune`: the oldest snapshots of a store expire, by count, by room, by thinning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from runner.jobs.bundled import Bundled, unusable
from runner.jobs.retention import retention
from runner.jobs.retention.report import prune_report
from runner.jobs.retention.retention import Decision, Kept
from runner.jobs.retention.steps import MEASURE_PATIENCE, Place, every, place, steps
from runner.model.facts import Facts, Probe, Snapshot, Space, StoreFacts
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.options import PruneOptions
from runner.model.plan import Command, Effect, Finding, Lock, PlannedJob, Step
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Job, Site, Store
from runner.model.text import count, size
from runner.tools import agent as tool

_ROOM_TO_NOTE = (1 << 20, 16)


class PruneKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "prune"
    options = PruneOptions

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """None: store facts are enough."""
        return ()

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """What expires now, oldest first; a skip with the reason where nothing does."""
        store = site.store(job.options.store)
        found = facts.hosts[store.host].stores[store.name]
        if skipped := unusable(job, store, found, "nothing was removed from it; put that right and run again"):
            return skipped
        sealed = counted(found)
        decision = careful(retention.decide(sealed, store.retention, found.space, now), found.space)
        where = place(site, job.name, store, found, plan_id(now))
        said = findings(where, decision)
        wanted = (*steps(where, decision, has_trash=bool(found.trash)), *_measure(where, store, sealed, decision))
        if not wanted:
            return _nothing(where, decision, job, said)
        lock = Lock(
            resource=f"store {store.name}",
            host=store.host,
            argv=tool.hold(where.at, who=f"{job.name} of {site.controller}"),
        )
        planned = PlannedJob(name=job.name, kind=self.name, after=job.after, locks=(lock,), headline=told(decision))
        return Draft(planned=planned, steps=wanted, findings=said)

    def together(self, site: Site, jobs: Sequence[Job], drafts: tuple[Draft, ...], facts: Facts) -> tuple[Draft, ...]:
        """See Beyond: no snapshot expires twice."""
        return once(drafts)

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return prune_report(job, outcomes, around)


def _nothing(where: Place, decision: retention.Decision, job: Job, findings: tuple[Finding, ...]) -> Draft:
    step = Step(
        id=f"{job.name}/count",
        role=Role.COUNT,
        job=job.name,
        host=where.host,
        effect=Effect.READ,
        action=Command(argv=tool.newest(where.at)),
        why="count the sealed snapshots and what is free",
    )
    planned = PlannedJob(name=job.name, kind="prune", after=job.after, headline=told(decision))
    return Draft(planned=planned, steps=(step,), findings=findings)


def _measure(where: Place, store: Store, sealed: Sequence[Snapshot], decision: retention.Decision) -> tuple[Step, ...]:
    """Measure what the oldest would free, for the next plans, where that is not known and may be asked."""
    spare = store.retention is not None and len(sealed) > store.retention.min
    gone = {one.snapshot.name for one in decision.expire}
    rest = sorted((one for one in sealed if one.name not in gone), key=lambda one: one.name)
    # Two ahead, so that neither the next prune nor a shortage has to measure before it can decide.
    known = all(one.freed_bytes is not None for one in rest[:2])
    if not spare or decision.unmeasured or known:
        return ()
    return (
        Step(
            id=f"{where.job}/measure",
            role=Role.MEASURE,
            job=where.job,
            host=where.host,
            effect=Effect.WRITE,
            action=Command(argv=tool.measure_freed(where.at)),
            timeout=MEASURE_PATIENCE,
            why="measure what expiring the oldest would free, for the next plan",
        ),
    )


def counted(found: StoreFacts) -> tuple[Snapshot, ...]:
    """The snapshots that count, oldest first: what has no record was not sealed, and is nobody's to expire."""
    return tuple(one for one in found.sealed if one.recorded)


def careful(decision: Decision, space: Space | None) -> Decision:
    """What of `decision` may be done before it is known what it frees.

    To try one after the other could take all above `min` and free nothing, where something foreign fills
    the disk. So nothing goes for room before that is measured; only where the disk has no room left to
    note the answer, the oldest does.
    """
    rest = [one for one in decision.expire if one.unless]
    if not decision.unmeasured:
        return decision
    if space is None or not _can_note(space):
        rest = rest[1:]
    stay = {one.snapshot.name for one in rest}
    kept = (Kept(snapshot=one.snapshot, reason="what it frees is measured first") for one in rest)
    return replace(
        decision,
        keep=tuple(sorted((*decision.keep, *kept), key=lambda one: one.snapshot.name)),
        expire=tuple(one for one in decision.expire if one.snapshot.name not in stay),
    )


def _can_note(space: Space) -> bool:
    least_bytes, least_inodes = _ROOM_TO_NOTE
    return space.free >= least_bytes and (space.inodes == 0 or space.inodes_free >= least_inodes)


def once(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """The drafts of one plan without what an earlier one expires: of two jobs that make room in a store,
    the second would fail on a snapshot that has gone."""
    taken: set[tuple[str, tuple[str, ...]]] = set()
    made = []
    for one in drafts:
        made.append(replace(one, steps=tuple(step for step in one.steps if _gone(step) not in taken)))
        taken |= {gone for step in one.steps if (gone := _gone(step))}
    return tuple(made)


def _gone(step: Step) -> tuple[str, tuple[str, ...]] | None:
    if step.role != Role.EXPIRE or not isinstance(step.action, Command):
        return None
    return step.host, step.action.argv


def findings(where: Place, decision: Decision) -> tuple[Finding, ...]:
    """What a person should see: why nothing may expire where the decision is frozen, and its doubts."""
    said = [(f"nothing expires from this store: {decision.frozen}", decision.do)] if decision.frozen else []
    said += [(doubt.text, doubt.do) for doubt in decision.doubts]
    return tuple(Finding(severity="attention", source=where.job, text=text, do=do) for text, do in said)


def told(decision: Decision) -> str:
    """The decision in one line: how many stay, how many go, what that frees."""
    gone, stay = decision.expire, count(len(decision.keep), "snapshot")
    if decision.unmeasured and not gone:
        return f"room is short, and what expiring the oldest frees is measured first: {stay}"
    if not gone:
        return f"nothing to expire: {stay}" if decision.keep else "nothing to expire: no snapshot yet"
    oldest = every(decision)[: len(gone)]
    last = max((one.snapshot for one in gone), key=lambda one: one.name)
    frees = ""
    # Measured is what each frees with every older one: that is the sum only where no older one stays.
    if oldest[-1] == last and last.freed_bytes is not None:
        frees = f", which frees {size(last.freed_bytes)} and {count(last.freed_inodes or 0, 'inode')}"
    return f"{count(len(gone), 'snapshot')} may go{frees}; {len(decision.keep)} stay"
