"""What a plan may do without being asked: findings about it, and the ceiling. Pure."""

from __future__ import annotations

from collections import Counter

from runner.model.errors import PlanRefused
from runner.model.plan import Effect, Ended, Finding, Plan


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
        said += [
            f"{step.id} rests on {one}, which does not come before it in the same job"
            for one in needed
            if (step.job, one) not in seen
        ]
        seen.add((step.job, step.id))
    writes = Counter(job.writes.partition("/")[0] for job in plan.jobs if job.writes)
    said += [f"{times} jobs of this plan write store {store}" for store, times in writes.items() if times > 1]
    return tuple(Finding(severity="refusal", text=text, source="review") for text in said)


def _circle(plan: Plan) -> list[str]:
    """Jobs that would wait for each other, and so for ever."""
    waiting = {job.name: set(job.after) for job in plan.jobs}
    while free := [name for name, after in waiting.items() if not after & waiting.keys()]:
        for name in free:
            del waiting[name]
    return [f"{', '.join(sorted(waiting))} wait for each other"] if waiting else []


def allow(plan: Plan, *, ceiling: Effect, reviewed: bool, confirmed: bool) -> None:
    """Raise PlanRefused unless this plan may run now.

    `reviewed`: it comes from a plan file that a person has read. `confirmed`: --yes at a terminal,
    which is enough for INTERRUPT and never for DESTROY.
    """
    if plan.refusals:
        raise PlanRefused(
            "\n".join(f"refused by {one.source}: {one.text}" for one in plan.refusals),
            do=next((one.do for one in plan.refusals if one.do), "put that right and plan again"),
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
