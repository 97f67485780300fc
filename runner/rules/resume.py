"""What is left of a plan after its own reboot of the machine that the runner is on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.model.plan import Effect, Plan, PlannedJob, Step
from runner.model.run import Outcome, State

_BEGUN = frozenset((State.DONE, State.INTERRUPTED))


def rest(plan: Plan, outcomes: Sequence[Outcome], controller: str) -> Plan | None:
    """The steps behind the last reboot of `controller` that was begun, as a plan of its own; None if none.

    What came before is never run again, the reboot least of all. Locks that the reboot took away are
    not taken again.
    """
    begun = {one.step for one in outcomes if one.state in _BEGUN}
    jobs: list[PlannedJob] = []
    steps: list[Step] = []
    for job in plan.jobs:
        own = [step for step in plan.steps if step.job == job.name]
        down = [at for at, step in enumerate(own) if _reboots(step, controller) and step.id in begun]
        if not down or down[-1] + 1 == len(own):
            continue
        left = own[down[-1] + 1 :]
        ids = {step.id for step in left}
        locks = tuple(lock for lock in job.locks if not lock.until or lock.until in ids)
        jobs.append(replace(job, after=(), locks=locks))
        steps += left
    if not jobs:
        return None
    return replace(
        plan, id=f"{plan.id}.back", jobs=tuple(jobs), steps=tuple(steps), skips=(), findings=(), basis=()
    )


def joined(plan: Plan, before: Sequence[Outcome], after: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """The outcomes of the whole plan: those from before the reboot, and those of what was left."""
    known = {one.step: one for one in (*before, *after)}
    return tuple(known[step.id] for step in plan.steps if step.id in known)


def _reboots(step: Step, controller: str) -> bool:
    return step.host == controller and step.effect == Effect.INTERRUPT and "power" in step.needs
