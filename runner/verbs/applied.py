"""A plan that is applied again: it was done, it is being run, or it was cut off and a new one takes it up."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from runner.engine.journal import Journal, RunLine
from runner.model.errors import Busy
from runner.model.facts import Facts, Snapshot, StoreFacts
from runner.model.plan import PREPARE, Finding, Plan, PlannedJob, Skip
from runner.model.run import State, Verdict
from runner.model.site import Site
from runner.model.text import minute
from runner.planning.schedule import instant_words


def earlier(journal: Journal, plan: Plan, site: Site) -> Plan | None:
    """What is left of a plan that was run before, which is nothing, and why; None where it was not run.

    Where it did not end well that wants a person, and a new plan. Busy while another run is at it.
    """
    line = journal.run_of(plan.id)
    if line is None:
        return None
    if line.alive:
        began = minute(line.started, site.timezone)
        raise Busy(f"plan {plan.id} is being run since {began}", do="wait until that run has ended")
    busy = any(outcome.state == State.BUSY for _, outcomes in journal.passes_of(line.id) for outcome in outcomes)
    if line.cut_off or busy or line.verdict == Verdict.FAILED:
        return _left(plan, findings=(_ended(line, plan, site, busy=busy),))
    began = minute(line.started, site.timezone)
    reason = f"already done: this plan was run at {began} and ended: {line.verdict}"
    at = line.ended or line.started
    return _left(plan, skips=tuple(Skip(job=job.name, reason=reason, done=at) for job in _jobs(plan)))


def made(plan: Plan, facts: Facts) -> Plan | None:
    """As `earlier` where the stores have every snapshot that the plan is for, and it is for nothing else; else None.

    The journal may be lost, or be that of another runner; or another plan has made them, for the same instant.
    """
    stores = {name: store for host in facts.hosts.values() for name, store in host.stores.items()}
    there = [(job, _sealed(job, plan.id, stores)) for job in _jobs(plan)]
    if not there or not all(made for _, made in there):
        return None
    reason = "already done: the snapshot that it makes is sealed"
    skips = (Skip(job=job.name, reason=reason, done=made.sealed or plan.made_at) for job, made in there if made)
    return _left(plan, skips=tuple(skips))


def _sealed(job: PlannedJob, plan: str, stores: Mapping[str, StoreFacts]) -> Snapshot | None:
    """What the job has sealed by this plan, or for its instant. Two plans of one second name alike what they make."""
    store = stores.get(job.writes.partition("/")[0])
    own = [snapshot for snapshot in store.sealed if snapshot.job == job.name] if store else []
    instant = job.instant
    return next((each for each in own if each.plan == plan or (instant and each.instant == instant)), None)


def _left(plan: Plan, *, skips: tuple[Skip, ...] = (), findings: tuple[Finding, ...] = ()) -> Plan:
    return replace(plan, jobs=(), steps=(), skips=skips, findings=findings, basis=())


def _jobs(plan: Plan) -> tuple[PlannedJob, ...]:
    return tuple(job for job in plan.jobs if job.kind != PREPARE)


def _ended(line: RunLine, plan: Plan, site: Site, *, busy: bool) -> Finding:
    how = "was cut off before it ended" if line.cut_off else "ended: failed"
    if busy and not line.cut_off:
        how = "found another run at work, and so did not do all"
    return Finding(
        severity="attention",
        source="runner",
        text=f"plan {plan.id} was run at {minute(line.started, site.timezone)} and {how}; a plan runs once",
        do="a new plan takes up what is left:" if _again(plan, site) else "plan again, read it, apply it",
        command=_again(plan, site),
    )


def _again(plan: Plan, site: Site) -> str:
    """The command that plans the same again; "" for what is no job of jobs.toml, such as a restore."""
    jobs = _jobs(plan)
    if not {job.name for job in jobs} <= {job.name for job in site.jobs}:
        return ""
    due = [job for job in jobs if job.instant]
    names = () if len(due) > 1 else tuple(job.name for job in due or jobs)
    when = instant_words(due[0].instant) if len(due) == 1 and due[0].instant else ()
    return shlex.join(("runner", "plan", *names, *when, "--out", "plan.toml"))
