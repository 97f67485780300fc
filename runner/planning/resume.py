"""What is left of a plan after its own reboot of the machine that the runner is on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.model.plan import Effect, Ended, Plan, PlannedJob, Step
from runner.model.run import Outcome, State


def rest(plan: Plan, outcomes: Sequence[Outcome], controller: str) -> Plan | None:
    """The steps behind the last reboot of `controller` that was begun, as a plan of its own; None if none.

    What came before is never run again, the reboot least of all. Locks that the reboot took away are
    not taken again.
    """
    begun = {one.step for one in outcomes if _begun(one)}
    jobs: list[PlannedJob] = []
    steps: list[Step] = []
    for job in plan.jobs:
        own = [step for step in plan.steps if step.job == job.name]
        down = [at for at, step in enumerate(own) if _reboots(step, controller) and step.id in begun]
        left = [step for step in own[down[-1] + 1 :] if not _instead(step, begun)] if down else []
        if not left:
            continue
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
    """The outcomes of the whole plan: those from before the reboot, and those of what was left.

    A reboot that was cut off by itself was done: there is something left only where this is another boot.
    """
    known = {one.step: one for one in (*before, *after)}
    down = {step.id for step in plan.steps if _takes_power(step)}
    return tuple(
        replace(known[step.id], state=State.DONE, note="")
        if step.id in down and known[step.id].state == State.INTERRUPTED and _begun(known[step.id])
        else known[step.id]
        for step in plan.steps
        if step.id in known
    )


def _begun(one: Outcome) -> bool:
    """Whether the step's command was started: a step that was stopped before has ended without an exit code."""
    cut_off = one.state == State.INTERRUPTED and (one.exit is not None or one.ended is None)
    return one.state == State.DONE or cut_off


def _instead(step: Step, begun: set[str]) -> bool:
    """Whether the step is for when another was not done, and that was."""
    return isinstance(step.unless, Ended) and step.unless.step in begun


def _reboots(step: Step, controller: str) -> bool:
    return step.host == controller and _takes_power(step)


def _takes_power(step: Step) -> bool:
    return step.effect == Effect.INTERRUPT and "power" in step.needs
