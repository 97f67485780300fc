"""The steps by which snapshots go: one expires at a time, and is emptied, and what is not known is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.agent.retention.contract.expire import Expire
from runner.jobs.retention.retention import Decision, Expiry
from runner.model.facts import Snapshot, StoreFacts
from runner.model.plan import Argv, Check, Command, Effect, Lock, Step
from runner.model.role import Role
from runner.model.site import Site, Store
from runner.model.text import one_line, size
from runner.tools import agent

MEASURE_PATIENCE = 6 * 3600
_REAP_PATIENCE = 24 * 3600
_NAMES_TO_COUNT = 10_000_000
_FEWEST = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A store to work on: under which job's lock, and the least that its retention keeps, as it counts."""

    job: str
    host: str
    at: agent.At
    lock: Lock
    least: int = 0
    per_day: int = 0

    def step(self, name: str, role: Role, effect: Effect, argv: Argv, why: str) -> Step:
        """A step of the job at the store's host."""
        action = Command(argv=argv)
        return Step(
            id=f"{self.job}/{name}", job=self.job, host=self.host, action=action, effect=effect, why=why, role=role
        )

    @property
    def count(self) -> Step:
        """The step of a job that has nothing to do, or only looks."""
        why = "count the sealed snapshots and what is free"
        return self.step("count", Role.COUNT, Effect.READ, agent.newest(self.at), why)


def place(site: Site, job: str, store: Store, facts: StoreFacts, plan: str) -> Place:
    """Where steps of `job` work on `store`."""
    keeper = site.host(store.host)
    disk = site.disk(store.disk) if store.disk and not keeper.root else None
    at = agent.At(
        program=agent.program(keeper),
        path=facts.path,
        plan=plan,
        mount=disk.mount if disk else "",
        uuid=(disk.uuid or facts.uuid) if disk else "",
    )
    argv = agent.hold(at, who=f"{job} of {site.controller}")
    lock = Lock(resource=f"store {store.name}", host=store.host, argv=argv)
    floor = {"least": store.retention.min, "per_day": store.retention.per_day} if store.retention else {}
    return Place(job=job, host=store.host, at=at, lock=lock, **floor)


def steps(where: Place, decision: Decision, *, has_trash: bool = False, may_fail: bool = False) -> tuple[Step, ...]:
    """One step a snapshot that goes; for room each is emptied at once, `unless` there is room.

    What goes for another reason than room goes first and is emptied together, and so is what was in
    the trash before: the first `unless` then sees the room that all of it made. Last is measured what
    was not known when this was decided; `may_fail`: the job goes on where that cannot be noted.
    """
    # What goes for the count alone goes before what goes for room: its own claim is over once it is done.
    sure = [expiry for expiry in decision.expire if expiry.goal in ("over max", "thinned")]
    rest = [expiry for expiry in decision.expire if expiry not in sure]
    made = [_expire(where, expiry, number) for number, expiry in enumerate(sure, start=1)]
    if sure or has_trash:
        made.append(_empty(where, "empty"))
    for number, expiry in enumerate(rest, start=len(sure) + 1):
        emptied = replace(_empty(where, f"empty-{number}"), unless=_unless(where, expiry))
        made += (_expire(where, expiry, number), emptied)
    return (*made, _measure(where, decision, may_fail=may_fail)) if decision.unmeasured else tuple(made)


def measure_ahead(where: Place) -> Step:
    """Measure what the oldest would free, for the next plans."""
    why = "measure what expiring the oldest would free, for the next plan"
    step = where.step("measure", Role.MEASURE, Effect.WRITE, agent.measure_freed(where.at), why)
    return replace(step, timeout=MEASURE_PATIENCE)


def _expire(where: Place, expiry: Expiry, number: int) -> Step:
    snapshot, frees = expiry.snapshot, ""
    if snapshot.freed_bytes is not None:
        frees = f"; with all older ones that frees {size(snapshot.freed_bytes)}"
    at = where.at
    argv = at.call("expire", Expire(at.path, snapshot.name, at.plan, where.least, at.disk, where.per_day))
    why = f"{snapshot.name}: {expiry.reason}{frees}"
    step = where.step(f"expire-{number}", Role.EXPIRE, Effect.EXPIRE, argv, why)
    return replace(step, subject=one_line(snapshot.name), unless=_unless(where, expiry))


def _empty(where: Place, name: str) -> Step:
    why = "remove what is in the trash from the disk"
    return replace(where.step(name, Role.EMPTY, Effect.EXPIRE, agent.reap(where.at), why), timeout=_REAP_PATIENCE)


def every(decision: Decision) -> list[Snapshot]:
    """All that were decided about, oldest first."""
    snapshots = (*(kept.snapshot for kept in decision.keep), *(expiry.snapshot for expiry in decision.expire))
    return sorted(snapshots, key=lambda snapshot: snapshot.name)


def _measure(where: Place, decision: Decision, *, may_fail: bool) -> Step:
    snapshots = every(decision)
    known = sum(snapshot.freed_bytes is not None for snapshot in snapshots)
    files = max(snapshot.files or 0 for snapshot in snapshots) or _NAMES_TO_COUNT
    names = [snapshot.name for snapshot in snapshots[:-1]][: max(_FEWEST, 4 * known, _NAMES_TO_COUNT // files)]
    gone = {expiry.snapshot.name for expiry in decision.expire}
    argv = agent.measure_freed(where.at, tuple(name for name in names if name not in gone))
    why = "measure what expiring the oldest would free: it is not known, and room is short"
    step = where.step("measure" if gone else "measure-first", Role.MEASURE, Effect.WRITE, argv, why)
    return replace(
        step, replans=not gone and not may_fail, timeout=MEASURE_PATIENCE, ok_codes=(0, 1) if may_fail else (0,)
    )


def _unless(where: Place, expiry: Expiry) -> Check | None:
    claim = expiry.unless
    if claim is None:
        return None
    return Check(
        host=where.host,
        argv=agent.newest(where.at),
        field=claim.field,
        relation=claim.relation,
        value=claim.value,
        why=claim.why,
    )
