"""What a plan may do without being asked: findings about it, and the ceiling. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from runner.model.errors import PlanRefused
from runner.model.facts import Facts, StoreFacts
from runner.model.plan import Command, Effect, Ended, Finding, Plan, Skip, Step
from runner.model.site import Site, Store
from runner.model.text import count


def check(plan: Plan) -> tuple[Finding, ...]:
    """Refusals for a plan that does not hold together, whoever made it."""
    ids = [step.id for step in plan.steps]
    seen: set[tuple[str, str]] = set()
    said: list[str] = [f"two steps are called {one}" for one, times in Counter(ids).items() if times > 1]
    names = Counter(job.name for job in plan.jobs)
    said += [f"two jobs are called {one}" for one, times in names.items() if times > 1]
    said += _circle(plan)
    for step in plan.steps:
        if step.job not in names:
            said.append(f"{step.id} belongs to no job of this plan")
        needed = [one for one in step.inputs if not one.startswith("kept:")]
        if isinstance(step.unless, Ended):
            needed.append(step.unless.step)
        needed += step.despite
        said += [
            f"{step.id} rests on {one}, which does not come before it in the same job"
            for one in needed
            if (step.job, one) not in seen
        ]
        seen.add((step.job, step.id))
    writes = Counter(job.writes.partition("/")[0] for job in plan.jobs if job.writes)
    said += [f"{times} jobs of this plan write store {store}" for store, times in writes.items() if times > 1]
    return tuple(Finding(severity="refusal", text=text, source="review") for text in said)


def floors(plan: Plan, site: Site, facts: Facts) -> tuple[Finding, ...]:
    """Refusals for a plan that would leave a store with less than its `retention.min`.

    Counted here again, and by itself: whoever decided what expires may be wrong. Every step that may
    expire counts as if it did. Only snapshots with a record and without exceptions count as left.
    """
    said: list[str] = []
    steps = [(step, *gone) for step in plan.steps if (gone := _expires(step))]
    for place in site.stores:
        host = facts.hosts.get(place.host)
        found = host.stores.get(place.name) if host else None
        if found is None:
            continue
        own = [(step, name) for step, path, name in steps if (step.host, path) == (place.host, found.path)]
        if own:
            said += _below(place, found, own)
            steps = [one for one in steps if (one[0], one[2]) not in own]
    said += [f"{step.id} expires {name} from {path}, which is no store that was read" for step, path, name in steps]
    return tuple(Finding(severity="refusal", text=text, source="review") for text in said)


def _below(place: Store, found: StoreFacts, own: list[tuple[Step, str]]) -> list[str]:
    if place.retention is None:
        return [f"{step.id} expires {name}, and store {place.name} has no retention" for step, name in own]
    least = place.retention.min
    recorded = [one for one in found.sealed if one.recorded]
    wrong = {one.name: "is the newest" for one in recorded[-1:]}
    wrong |= {one.name: "is being read" for one in recorded if one.being_read}
    proven = {one.snapshot for one in found.proven.values()}
    wrong |= {
        one.name: "is the last that was proven to come back" for one in recorded if one.proven or one.name in proven
    }
    wrong |= {name: "is no sealed snapshot" for _, name in own if name not in {one.name for one in recorded}}
    said = [f"{step.id} expires {name}, which {wrong[name]}" for step, name in own if name in wrong]
    said += [
        f"{step.id} is told another floor than min = {least}"
        for step, _ in own
        if isinstance(step.action, Command) and f"--min={least}" not in step.action.argv
    ]
    gone = {name for _, name in own}
    left = sum(one.exceptions == 0 and one.name not in gone for one in recorded)
    if left < least:
        stay = count(left, "snapshot")
        said.append(f"this plan would leave {stay} without exceptions in store {place.name}, and min is {least}")
    return said


def _expires(step: Step) -> tuple[str, str] | None:
    """Give the store's folder and the snapshot, where a step calls `runner-agent expire`."""
    argv = step.action.argv if isinstance(step.action, Command) else ()
    for program, verb, *rest in (argv[at : at + 4] for at in range(len(argv) - 3)):
        if verb == "expire" and program.endswith("runner-agent"):
            return rest[0], rest[1]
    return None


def _circle(plan: Plan) -> list[str]:
    """Jobs that would wait for each other, and so for ever."""
    waiting = {job.name: set(job.after) for job in plan.jobs}
    while free := [name for name, after in waiting.items() if not after & waiting.keys()]:
        for name in free:
            del waiting[name]
    return [f"{', '.join(sorted(waiting))} wait for each other"] if waiting else []


def contain(plan: Plan, ceiling: Effect) -> Plan:
    """The plan without the jobs that nobody may run unwatched, each told as a matter for a person.

    For a run that nobody asked for by name: one job that is above the ceiling, or refused on its own
    account, keeps no other from running.
    """
    most = {name: max(step.effect for step in plan.steps if step.job == name) for name in _jobs(plan)}
    above = {name for name, effect in most.items() if effect > min(ceiling, Effect.INTERRUPT)}
    refused = {one.source for one in plan.refusals if one.source in {job.name for job in plan.jobs}}
    out = above | refused
    said = [
        Finding(
            severity="attention",
            source=name,
            text=f"it would {effect.name.lower()}, and jobs.toml allows unattended runs no more than "
            f"{ceiling.name.lower()}",
            do="when it suits people, run:"
            if effect == Effect.INTERRUPT
            else f"runner plan {name} --out plan.toml, read it, then:",
            command=f"runner run {name} --yes" if effect == Effect.INTERRUPT else "runner apply plan.toml",
        )
        for name, effect in most.items()
        if name in above
    ]
    kept = [
        replace(one, severity="attention") if one.severity == "refusal" and one.source in refused else one
        for one in plan.findings
    ]
    return replace(
        plan,
        jobs=tuple(job for job in plan.jobs if job.name not in out),
        steps=tuple(step for step in plan.steps if step.job not in out),
        skips=(*plan.skips, *(Skip(job=name, reason="it needs a person") for name in _jobs(plan) if name in out)),
        findings=(*kept, *said),
    )


def _jobs(plan: Plan) -> tuple[str, ...]:
    return tuple(dict.fromkeys(step.job for step in plan.steps))


def allow(plan: Plan, *, ceiling: Effect, reviewed: bool, confirmed: bool) -> None:
    """Raise PlanRefused unless this plan may run now.

    `reviewed`: it comes from a plan file that a person has read. `confirmed`: --yes at a terminal,
    which is enough for INTERRUPT and never for DESTROY.
    """
    if plan.refusals:
        raise PlanRefused(
            "\n".join(f"refused by {one.source}: {one.text}" for one in plan.refusals),
            do=next((one.advice for one in plan.refusals if one.advice), "put that right and plan again"),
        )
    if reviewed or plan.effect <= min(ceiling, Effect.INTERRUPT):
        return
    strongest = next(step for step in plan.steps if step.effect == plan.effect)
    if plan.effect == Effect.INTERRUPT and confirmed:
        return
    file = "write the plan to a file (--out plan.toml), read it, and apply it: runner apply plan.toml"
    raise PlanRefused(
        f"{strongest.id} would {plan.effect.name.lower()}, and jobs.toml allows unattended runs "
        f"no more than {ceiling.name.lower()}",
        do=f"say --yes if you mean it, or {file}" if plan.effect == Effect.INTERRUPT else file,
    )
