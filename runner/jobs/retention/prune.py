"""Kind `prune`: the oldest snapshots of a store expire, by count, by room, by thinning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from runner.jobs.bundled import Bundled, unusable
from runner.jobs.retention import retention
from runner.jobs.retention.coming import coming, recycled
from runner.jobs.retention.report import prune_report
from runner.jobs.retention.retention import Decision, KeptSnapshot
from runner.jobs.retention.steps import Place, every, measure_ahead, place, steps
from runner.model.cause import of_store
from runner.model.facts import Facts, Snapshot, Space, StoreFacts
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.options import PruneOptions
from runner.model.plan import Action, Finding, PlannedJob
from runner.model.role import Phase, Role
from runner.model.site import Job, Site, Store
from runner.model.stored import Rates
from runner.model.text import count, one_line, size

_ROOM_TO_NOTE = (1 << 20, 16)


class PruneKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "prune"
    options = PruneOptions
    report = staticmethod(prune_report)

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """What expires now, oldest first; without a lock where nothing does."""
        return self._drafted(site, job, facts, None, frozenset())

    def _drafted(self, site: Site, job: Job, facts: Facts, coming: Snapshot | None, gone: frozenset[str]) -> Draft:
        now = facts.at
        store = site.store(job.options.store)
        stored = facts.hosts[store.host].stores[store.name]
        if skipped := unusable(job, store, stored, "nothing was removed from it; put that right and run again"):
            return skipped
        sealed = tuple(snapshot for snapshot in counted(stored) if one_line(snapshot.name) not in gone)
        room, doubted = stored.space, stored.doubted
        decision = careful(retention.decide_unless(doubted, sealed, store.retention, room, now, coming), room)
        # What the plan recycles expires too.
        decision = within(decision, stored.rates, len(gone))
        where = place(site, job.name, store, stored, plan_id(now))
        made = (
            *steps(where, decision, has_trash=bool(stored.trash)),
            *((measure_ahead(where),) if _is_to_measure(store, sealed, decision) else ()),
        )
        locks = (where.lock,) if made else ()
        planned = PlannedJob(name=job.name, kind=self.name, after=job.after, locks=locks, headline=headline(decision))
        return Draft(planned=planned, steps=made or (where.count,), findings=findings(where, decision, store))

    def together(self, site: Site, jobs: Sequence[Job], drafts: tuple[Draft, ...], facts: Facts) -> tuple[Draft, ...]:
        """See Beyond: what the plan makes counts too, and no snapshot expires twice."""
        pruning = {job.name: job for job in jobs if job.kind == self.name}
        made = []
        for draft in drafts:
            job = pruning.get(draft.planned.name) if draft.planned else None
            made.append(self._counting(site, job, draft, drafts, facts) if job and draft.planned else draft)
        return once(made)

    def _counting(self, site: Site, job: Job, draft: Draft, drafts: Sequence[Draft], facts: Facts) -> Draft:
        """The draft of `job`, which counts the snapshot that the plan makes in its store, and waits for it."""
        made, gone = coming(site, job, job.options.store, drafts), recycled(job.options.store, drafts)
        if (made is None and not gone) or draft.planned is None:
            return draft
        again = self._drafted(site, job, facts, made, gone)
        after = tuple(dict.fromkeys((*job.after, *([made.job] if made else ()))))
        planned = again.planned and replace(again.planned, instant=draft.planned.instant, after=after)
        return replace(again, planned=planned)


def _is_to_measure(store: Store, sealed: Sequence[Snapshot], decision: Decision) -> bool:
    """Whether it is not known what the oldest would free, though they may go, and no step measures it yet."""
    spare = store.retention is not None and len(sealed) > store.retention.min
    gone = {expiry.snapshot.name for expiry in decision.expire}
    rest = sorted((snapshot for snapshot in sealed if snapshot.name not in gone), key=lambda snapshot: snapshot.name)
    # Two ahead, so that neither the next prune nor a shortage has to measure before it can decide. The newest stays.
    known = all(snapshot.freed_bytes is not None for snapshot in rest[:-1][:2])
    return spare and not decision.unmeasured and not known


def counted(facts: StoreFacts) -> tuple[Snapshot, ...]:
    """The snapshots that count, oldest first: what has no record was not sealed, and never expires."""
    return tuple(snapshot for snapshot in facts.sealed if snapshot.recorded)


def careful(decision: Decision, space: Space | None) -> Decision:
    """What of `decision` may be done before it is known what it frees.

    To try one after the other could take all above `min` and free nothing, where something foreign fills
    the disk. So only what is extra goes for room before that is measured; where the disk has no room left
    to note the answer, the oldest does too.
    """
    rest = [expiry for expiry in decision.expire if expiry.goal in ("space", "inodes") and not expiry.extra]
    if not decision.unmeasured:
        return decision
    if space is None or not _can_note(space):
        rest = rest[1:]
    stay = {expiry.snapshot.name for expiry in rest}
    kept = (KeptSnapshot(snapshot=expiry.snapshot, reason="what it frees is measured first") for expiry in rest)
    return replace(
        decision,
        keep=tuple(sorted((*decision.keep, *kept), key=lambda kept: kept.snapshot.name)),
        expire=tuple(expiry for expiry in decision.expire if expiry.snapshot.name not in stay),
    )


def within(decision: Decision, rates: Rates | None, others: int = 0) -> Decision:
    """What of `decision` goes now, beside `others`, where the policy of the store's host lets so many go a day.

    More would be refused there, and be taken for what somebody else tries who has the key.
    """
    most = max(0, rates.expiries - others) if rates else len(decision.expire)
    if len(decision.expire) <= most:
        return decision
    later = decision.expire[most:]
    stay = (KeptSnapshot(snapshot=each.snapshot, reason="its host lets no more go in 24 hours") for each in later)
    keep = tuple(sorted((*decision.keep, *stay), key=lambda kept: kept.snapshot.name))
    return replace(decision, keep=keep, expire=decision.expire[:most], later=len(later))


def _can_note(space: Space) -> bool:
    least_bytes, least_inodes = _ROOM_TO_NOTE
    return space.free >= least_bytes and (space.inodes == 0 or space.inodes_free >= least_inodes)


def once(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """The drafts of one plan without what an earlier one expires: of two jobs that make room in a store,
    the second would fail on a snapshot that has gone."""
    taken: set[tuple[str, Action]] = set()
    made = []
    for draft in drafts:
        expiring = {step: (step.host, step.action) for step in draft.steps if step.role == Role.EXPIRE}
        made.append(replace(draft, steps=tuple(step for step in draft.steps if expiring.get(step) not in taken)))
        taken |= set(expiring.values())
    return tuple(made)


def findings(where: Place, decision: Decision, store: Store) -> tuple[Finding, ...]:
    """What a person should see: why nothing may expire where the decision is frozen, and its doubts."""
    doubts = tuple(
        Finding(severity="attention", source=where.job, text=doubt.text, do=doubt.do) for doubt in decision.doubts
    )
    why = frozen(decision, store)
    if decision.later:
        more = count(decision.later, "more snapshot")
        text = f"{more} will go later: the policy of {store.host} lets no more go in 24 hours"
        doubts = (*doubts, Finding(severity="note", source=where.job, text=text, phase=Phase.FORECAST))
    return (*((replace(why, source=where.job),) if why else ()), *doubts)


def frozen(decision: Decision, store: Store, what: str = "nothing expires from this store") -> Finding | None:
    """`what`, and why it is that nothing may expire; None where something may.

    Of one cause, and in the same words, for all jobs of the store. Whether the clock of now is wrong or that of then,
    only a snapshot asks other clocks: no command that takes good snapshots out of the count is given here.
    """
    if not decision.frozen:
        return None
    fault = decision.cause.fault if decision.cause else None
    cause = of_store(store.name, fault) if fault else ""
    text = f"{what}: {decision.frozen}"
    return Finding(severity="attention", source="", text=text, do=decision.do, cause=cause)


def headline(decision: Decision) -> str:
    """The decision in one line: how many stay, how many go, what that frees."""
    gone, stay = decision.expire, count(len(decision.keep), "snapshot")
    later = f"; {decision.later} more later" if decision.later else ""
    if decision.unmeasured and not gone:
        return f"room is short, and what expiring the oldest frees is measured first: {stay}"
    if not gone:
        return f"nothing to expire: {stay}{later}" if decision.keep else "nothing to expire: no snapshot yet"
    oldest = every(decision)[: len(gone)]
    last = max((expiry.snapshot for expiry in gone), key=lambda snapshot: snapshot.name)
    frees = ""
    # Measured is what each frees with every older one: that is the sum only where no older one stays.
    if oldest[-1] == last and last.freed_bytes is not None:
        frees = f", which frees {size(last.freed_bytes)} and {count(last.freed_inodes or 0, 'inode')}"
    return f"{count(len(gone), 'snapshot')} may go{frees}; {len(decision.keep)} stay{later}"
