"""Which jobs of a pass deserve another: those whose copy was cut off, or could not be whole this time."""

from __future__ import annotations

from runner.model.run import Outcome, Pass, State

MOST_PASSES = 3
_FILE_IO = 11
_PACKAGES = frozenset(("updates", "upgrade"))
# What must be done before it can be known what is to be installed.
_FIRST = ("refresh-first", "repair-first", "before/back")


def again(done: Pass) -> tuple[str, ...]:
    """Jobs of which a transfer was interrupted, for which the disk was full, that measured what to expire,
    that fetched, repaired or rebooted first and know only now what to install, or that found other
    packages than their plan knew.

    What was sent is kept, and a new plan takes it up. For a full disk that plan also says what must go
    first, or that nothing may; where an inode had no link left, rsync copies it in the fresh folder.
    """
    kept = _kept(done)
    prunes = {job.name for job in done.plan.jobs if job.kind == "prune"}
    worth = {one.job for one in done.outcomes if _interrupted(one, kept) or _not_whole(one, kept)}
    worth |= {one.job for one in done.outcomes if one.job in prunes and _ended(one, "measure-first")}
    packages = {job.name for job in done.plan.jobs if job.kind in _PACKAGES}
    worth |= {one.job for one in done.outcomes if one.job in packages and _ended(one, *_FIRST)}
    worth |= packages & _unchanged(done)
    return tuple(job.name for job in done.plan.jobs if job.name in worth)


def waits(done: Pass) -> bool:
    """Whether time may heal what `again` is for: a transfer cut off from outside. Nobody waits for a full disk."""
    kept = _kept(done)
    return any(_interrupted(one, kept) for one in done.outcomes)


def _kept(done: Pass) -> set[str]:
    """Steps that a new plan takes up where they were cut off."""
    return {step.id for step in done.plan.steps if step.keep_output_as or step.carried}


def _interrupted(one: Outcome, kept: set[str]) -> bool:
    return one.step in kept and one.state == State.INTERRUPTED


def _ended(one: Outcome, *names: str) -> bool:
    return one.step.removeprefix(f"{one.job}/") in names and one.state == State.DONE


def _unchanged(done: Pass) -> set[str]:
    """Jobs that were stale since packages are not as planned, and had changed none: so nothing goes untold."""
    asks = {step.id for step in done.plan.steps if step.guard and step.guard.field == "as_planned"}
    stale = {one.job for one in done.outcomes if one.step in asks and one.state == State.STALE}
    return stale - {one.job for one in done.outcomes if one.result.get("carried") is True}


def _not_whole(one: Outcome, kept: set[str]) -> bool:
    # rsync(1): 11 is a write that failed. Out of inodes or links it ends with 23, and the seal finds out.
    if one.state != State.FAILED:
        return False
    return (one.step in kept and one.exit == _FILE_IO) or one.result.get("again") is True
