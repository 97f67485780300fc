"""A plan that makes a snapshot and prunes its store: what is made counts too, once it is there."""

from __future__ import annotations

from collections.abc import Sequence

from runner.config import order
from runner.model.facts import Snapshot
from runner.model.kind import Draft
from runner.model.role import Role
from runner.model.site import Job, Site


def recycled(store: str, drafts: Sequence[Draft]) -> frozenset[str]:
    """The snapshots in `store` that this plan gives up for the ones that it makes there."""
    making = (draft for draft in drafts if draft.planned and draft.planned.writes.partition("/")[0] == store)
    cloned = (step for draft in making for step in draft.steps if step.role == Role.CLONE)
    return frozenset(step.subject for step in cloned if step.subject)


def coming(site: Site, job: Job, store: str, drafts: Sequence[Draft]) -> Snapshot | None:
    """The snapshot that this plan makes in `store` before `job` prunes it; None where it makes none, or after that."""
    planned = {draft.planned.name: draft.planned for draft in drafts if draft.planned}
    after = {name: each.after for name, each in planned.items()}
    for made in planned.values():
        place, _, name = made.writes.partition("/")
        if place == store and name and not order.way(made.name, job.name, after):
            return Snapshot(name=name, job=made.name, host=site.job(made.name).host)
    return None
