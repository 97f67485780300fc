"""What became of the snapshot that was to expire for the new one, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.agent.compose.contract.clone import NotCloned
from runner.agent.look.contract import SPARING
from runner.jobs.snapshots.steady.between import SCANS
from runner.model.role import Role
from runner.model.run import Outcome, State
from runner.report.todo import named
from runner.tools.answers import read

_CUT_OFF = (State.FAILED, State.INTERRUPTED)


def gone(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Which expired, also where the new one was not made of it then."""
    for outcome in _clones(outcomes):
        if outcome.state == State.DONE:
            yield f"expired {outcome.subject}, the oldest: the new snapshot was made of it"
        elif outcome.state in _CUT_OFF and _went(outcome):
            yield f"expired {outcome.subject}, the oldest, to make the new snapshot of it"


def unsure(outcomes: Sequence[Outcome], store: str) -> Iterator[str]:
    """Which may have expired: the clone was cut off, or nobody could look at the store."""
    for outcome in _clones(outcomes):
        if outcome.state in _CUT_OFF and _went(outcome) is None:
            tells = f"`runner snapshots {store}` tells"
            yield f"{outcome.subject}, the oldest, may have expired for the new snapshot: {tells}"


def stays(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Which did not, for which filesystems, and what to do."""
    why = "; ".join(_spared(outcomes))
    for outcome in _clones(outcomes):
        if outcome.state == State.NOT_NEEDED:
            yield f"{outcome.subject}, the oldest, stays: {why}"


def _spared(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """For what a look keeps the oldest from expiring."""
    looks = [each for each in outcomes if each.role == Role.LOOK and each.state == State.DONE]
    shrunk, uncounted = ([each.subject for each in looks if each.exit == code] for code in SPARING)
    if shrunk:
        have = "has" if len(shrunk) == 1 else "have"
        yield (
            f"{named(shrunk)} {have} far fewer names than in the snapshot before: see that all of it is mounted and "
            "there; if it was meant, raise max_shrink, or wait"
        )
    if uncounted:
        yield (
            f"no record says how many names {named(uncounted)} had before. One is made now, for the next snapshot; "
            f"where it is missing each day, see what removes {SCANS} of that host"
        )


def _clones(outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    return (outcome for outcome in outcomes if outcome.role == Role.CLONE and outcome.subject)


def _went(outcome: Outcome) -> bool | None:
    """Whether it expired, as a clone that was not made answers; None where it answers nothing, or nobody knows."""
    answer = read(outcome.result, NotCloned)
    return None if answer is None or answer.recycled is None else answer.recycled != ""
