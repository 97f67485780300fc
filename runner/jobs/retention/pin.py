"""Keeping one snapshot whatever the retention says, or no longer: a plan of one step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from runner.agent.store.contract.pins import Pin, Unpin
from runner.jobs.retention import steps
from runner.model.facts import StoreFacts
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.plan import Effect, PlannedJob
from runner.model.role import Role
from runner.model.site import Site, Store


@dataclass(frozen=True, kw_only=True, slots=True)
class PinRequest:
    """Snapshot `name` of `store` is to be kept until `until` because of `why`; no longer where that is None."""

    store: Store
    name: str
    until: datetime | None
    why: str = ""


def draft(site: Site, pin: PinRequest, facts: StoreFacts, now: datetime) -> Draft:
    """One WRITE step under the store's lock."""
    job = f"{'pin' if pin.until else 'unpin'}-{pin.store.name}"
    where = steps.place(site, job, pin.store, facts, plan_id(now))
    at = where.at
    if pin.until:
        argv = at.call("pin", Pin(at.path, pin.name, at.plan, pin.until.isoformat(), pin.why, at.disk))
        day = pin.until.astimezone(ZoneInfo(site.timezone))
        why = f"keep {pin.name} until {day:%Y-%m-%d}: {pin.why}"
    else:
        argv = at.call("unpin", Unpin(at.path, pin.name, at.plan, at.disk))
        why = f"{pin.name} is kept no longer than the retention says"
    planned = PlannedJob(name=job, kind="pin", locks=(where.lock,), headline=why)
    return Draft(planned=planned, steps=(where.step("keep", Role.PIN, Effect.WRITE, argv, why),))
