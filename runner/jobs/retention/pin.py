"""Keeping one snapshot whatever the retention says, or letting it go again: a plan of one step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from runner.jobs.retention import steps as expiring
from runner.model.facts import StoreFacts
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.plan import Command, Effect, Lock, PlannedJob, Step
from runner.model.role import Role
from runner.model.site import Site, Store
from runner.tools import agent as tool


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """Snapshot `name` of `store` is kept until `until` because of `why`; None lets it go."""

    store: Store
    name: str
    until: datetime | None
    why: str = ""


def draft(site: Site, pin: Pin, found: StoreFacts, now: datetime) -> Draft:
    """One WRITE step under the store's lock."""
    job = f"{'pin' if pin.until else 'unpin'}-{pin.store.name}"
    where = expiring.place(site, job, pin.store, found, plan_id(now))
    if pin.until:
        argv = tool.pin(where.at, pin.name, until=pin.until.isoformat(), why=pin.why)
        day = pin.until.astimezone(ZoneInfo(site.timezone))
        why = f"keep {pin.name} until {day:%Y-%m-%d}: {pin.why}"
    else:
        argv = tool.unpin(where.at, pin.name)
        why = f"{pin.name} goes the way of the others again"
    step = Step(
        id=f"{job}/keep",
        role=Role.PIN,
        job=job,
        host=pin.store.host,
        effect=Effect.WRITE,
        action=Command(argv=argv),
        why=why,
    )
    lock = Lock(
        resource=f"store {pin.store.name}",
        host=pin.store.host,
        argv=tool.hold(where.at, who=f"pin of {site.controller}"),
    )
    planned = PlannedJob(name=job, kind="pin", locks=(lock,), headline=why)
    return Draft(planned=planned, steps=(step,))
