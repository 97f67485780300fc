"""A source that lost much of what it had, perhaps for a day: told, and shared with again when it is back. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace

from runner.jobs.retention.doubts import Doubt, FilesBefore, files_before
from runner.jobs.retention.thinning import extras
from runner.model.facts import Snapshot
from runner.model.plan import PlannedJob
from runner.model.site import Retention
from runner.model.stored import Filled
from runner.tools import answers

# How far back it is looked for what is gone now, and for how much: a hundredth of it, or so many files or bytes. Each
# costs one more look for each file that is new.
_LOOK_BACK = 7
_PART, _MANY, _LARGE = 100, 1000, 1 << 30
# What a check takes for a shrinking where the store has no `retention`.
_MAX_SHRINK = 30.0


def bases(own: Sequence[Snapshot], mount: str, apart: Collection[str] = ()) -> tuple[str, ...]:
    """The snapshots, of `own` oldest first, that the next one shares what is mounted at `mount` with, newest first.

    The newest that has it; behind it each of the last that had more than all after it: what a source lost for a day
    is copied again otherwise, all of it. Of those, none that is to stay `apart`.
    """
    having = [snapshot for snapshot in own if mount in snapshot.filesystems]
    chosen = having[-1:]
    most = _filled(chosen[0], mount) if chosen else None
    for snapshot in reversed(having[-_LOOK_BACK:-1]):
        held = _filled(snapshot, mount)
        if held and most and snapshot.name not in apart and _fell(held, most):
            chosen.append(snapshot)
        most = (
            replace(held, files=max(held.files, most.files), size=max(held.size, most.size)) if held and most else most
        )
    return tuple(snapshot.name for snapshot in chosen)


def _filled(snapshot: Snapshot, mount: str) -> Filled | None:
    return next((each for each in snapshot.filled if each.mount == mount), None)


def _fell(before: Filled, now: Filled) -> bool:
    pairs = ((before.files, now.files, _MANY), (before.size, now.size, _LARGE))
    return any(held - left > min(much, held // _PART) for held, left, much in pairs)


def usual(own: Sequence[Snapshot], policy: Retention | None) -> str:
    """How many files a host's next snapshot should have, by those it has in the store: for `shrank`; "" for unknown."""
    counted, limit = measured(own, policy)
    before = files_before(counted, own[-1].host if own else "", limit)
    return json.dumps(asdict(before)) if before else ""


def measured(snapshots: Sequence[Snapshot], policy: Retention | None) -> tuple[tuple[Snapshot, ...], float]:
    """Those by which a shrinking is measured, without the extra ones of a day; and how many percent of files may go."""
    limit, per_day = (policy.max_shrink, policy.per_day) if policy else (_MAX_SHRINK, 0)
    extra = extras(snapshots, per_day)
    return tuple(each for each in snapshots if each.name not in extra), limit


def shrank(job: PlannedJob, files: int) -> Doubt | None:
    """Doubt the source of the snapshot that `job` has sealed with so many files, as its check will.

    A plan comes from a file, which may have anything there: what cannot be understood is no measure.
    """
    before = answers.read(job.about, FilesBefore)
    return before.shrank(job.writes.partition("/")[2], files) if before else None
