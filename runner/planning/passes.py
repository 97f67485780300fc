"""Which jobs of a pass deserve another: those whose copy was cut off, or could not be whole this time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.model.plan import Ended, Plan, PlannedJob, Step
from runner.model.run import Outcome, Pass, State
from runner.tools import rsync

MOST_PASSES = 3


def again(done: Pass) -> tuple[str, ...]:
    """Jobs of which a transfer was interrupted, for which the disk was full, that did what had to be done
    before it could be known what else there is to do, or that others changed something for since it was planned.

    What was sent is kept, and a new plan takes it up. For a full disk that plan also says what must go
    first, or that nothing may; where an inode had no link left, rsync copies it in the fresh folder.
    """
    resumable = _resumable(done)
    first = {step.id for step in done.plan.steps if step.replans}
    worth = {
        outcome.job for outcome in done.outcomes if _interrupted(outcome, resumable) or _not_whole(outcome, resumable)
    }
    worth |= {outcome.job for outcome in done.outcomes if outcome.step in first and outcome.state == State.DONE}
    worth |= _unchanged(done)
    return tuple(job.name for job in done.plan.jobs if job.name in worth)


def waits(done: Pass) -> bool:
    """Whether time may heal what `again` is for: a transfer cut off from outside.

    Nobody waits for a full disk, nor for what a new plan mends.
    """
    resumable = _resumable(done)
    mended = {outcome.job for outcome in done.outcomes if _not_whole(outcome, resumable)}
    return any(_interrupted(outcome, resumable) and outcome.job not in mended for outcome in done.outcomes)


def _resumable(done: Pass) -> set[str]:
    """Steps that a new plan takes up where they were cut off."""
    return {step.id for step in done.plan.steps if step.keep_output_as or step.detached}


def _interrupted(outcome: Outcome, resumable: set[str]) -> bool:
    return outcome.step in resumable and outcome.state == State.INTERRUPTED


def _unchanged(done: Pass) -> set[str]:
    """Jobs that were stale and had installed nothing that a report must mention: a new plan may do better."""
    asks = {step.id for step in done.plan.steps if step.guard and step.guard.replans}
    stale = {outcome.job for outcome in done.outcomes if outcome.step in asks and outcome.state == State.STALE}
    return stale - {outcome.job for outcome in done.outcomes if outcome.result.get("detached") is True}


def _not_whole(outcome: Outcome, resumable: set[str]) -> bool:
    # rsync(1): 11 is a write that failed. Out of inodes or links it ends with 23, and the seal finds out.
    full = outcome.state == State.FAILED and outcome.exit in (rsync.FILE_IO, rsync.NO_ROOM)
    asks = outcome.state in (State.FAILED, State.STALE) and outcome.result.get("again") is True
    return asks or (outcome.step in resumable and full)


def rest(plan: Plan, outcomes: Sequence[Outcome], controller: str) -> Plan | None:
    """The steps behind the last reboot of `controller` that was begun, as a plan of its own; None if none.

    What came before is never run again, the reboot least of all. Locks that the reboot took away are
    not taken again. It is for no instant: the reboot was, and was done.
    """
    begun = {outcome.step for outcome in outcomes if _begun(outcome)}
    jobs: list[PlannedJob] = []
    steps: list[Step] = []
    for job in plan.jobs:
        own = [step for step in plan.steps if step.job == job.name]
        down = [at for at, step in enumerate(own) if step.host == controller and step.takes_power and step.id in begun]
        left = [step for step in own[down[-1] + 1 :] if not _instead(step, begun)] if down else []
        if not left:
            continue
        ids = {step.id for step in left}
        locks = tuple(lock for lock in job.locks if not lock.until or lock.until in ids)
        jobs.append(replace(job, after=(), locks=locks, instant=None))
        steps += left
    if not jobs:
        return None
    return replace(plan, id=f"{plan.id}.back", jobs=tuple(jobs), steps=tuple(steps), skips=(), findings=(), basis=())


def joined(plan: Plan, before: Sequence[Outcome], after: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """The outcomes of the whole plan: those from before the reboot, and those of what was left.

    A reboot that was cut off by itself was done: there is something left only where this is another boot.
    """
    known = {outcome.step: outcome for outcome in (*before, *after)}
    down = {step.id for step in plan.steps if step.takes_power}
    return tuple(
        replace(known[step.id], state=State.DONE, note="")
        if step.id in down and known[step.id].state == State.INTERRUPTED and _begun(known[step.id])
        else known[step.id]
        for step in plan.steps
        if step.id in known
    )


def _begun(outcome: Outcome) -> bool:
    """Whether the step's command was started: a step that was stopped before has ended without an exit code."""
    cut_off = outcome.state == State.INTERRUPTED and (outcome.exit is not None or outcome.ended is None)
    return outcome.state == State.DONE or cut_off


def _instead(step: Step, begun: set[str]) -> bool:
    """Whether the step is for when another was not done, and that was."""
    return isinstance(step.unless, Ended) and not begun.isdisjoint(step.unless.steps)
