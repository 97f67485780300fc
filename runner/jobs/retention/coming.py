"""A plan that makes a snapshot and prunes its store: what is made counts too, once it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.model.facts import Snapshot
from runner.model.kind import Draft
from runner.model.plan import PlannedJob
from runner.model.site import Job, Site


def coming(site: Site, job: Job, store: str, drafts: Sequence[Draft]) -> Snapshot | None:
    """The snapshot that this plan makes in `store` before `job` prunes it; None where it makes none, or after that."""
    planned = {draft.planned.name: draft.planned for draft in drafts if draft.planned}
    for made in planned.values():
        place, _, name = made.writes.partition("/")
        if place == store and name and not _comes_after(planned, made.name, job.name):
            return Snapshot(name=name, job=made.name, host=site.job(made.name).host)
    return None


def _comes_after(planned: Mapping[str, PlannedJob], later: str, earlier: str) -> bool:
    seen, waiting = {later}, [later]
    while waiting:
        before = set(planned[waiting.pop()].after) & planned.keys() - seen
        if earlier in before:
            return True
        seen |= before
        waiting += before
    return False
