"""Which jobs of a pass deserve another: those whose transfer was cut off, and nothing else."""

from __future__ import annotations

from runner.model.run import Pass, State

MOST_PASSES = 3


def again(done: Pass) -> tuple[str, ...]:
    """Jobs of which a transfer was interrupted: what was sent is kept, and a new plan takes it up."""
    kept = {step.id for step in done.plan.steps if step.keep_output_as}
    cut = {one.job for one in done.outcomes if one.step in kept and one.state == State.INTERRUPTED}
    return tuple(job.name for job in done.plan.jobs if job.name in cut)
