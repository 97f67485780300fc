"""The steps by which snapshots go: one expires at a time, and is emptied, and what is not known is measured."""

from __future__ import annotations

from dataclasses import dataclass

from runner.jobs.retention.retention import Decision, Expired
from runner.model.facts import Snapshot, StoreFacts
from runner.model.plan import Check, Command, Effect, Step
from runner.model.role import Role
from runner.model.site import Site, Store
from runner.model.text import one_line, size
from runner.tools import agent as tool

MEASURE_PATIENCE = 6 * 3600
_REAP_PATIENCE = 24 * 3600
_NAMES_TO_COUNT = 10_000_000
_FEWEST = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A store to expire from: under which job's lock, and the least that its retention keeps."""

    job: str
    host: str
    at: tool.At
    least: int


def place(site: Site, job: str, store: Store, found: StoreFacts, plan: str) -> Place:
    """Where steps of `job` expire snapshots of `store`."""
    keeper = site.host(store.host)
    disk = site.disk(store.disk) if store.disk and not keeper.root else None
    at = tool.At(
        program=tool.program(keeper),
        path=found.path,
        plan=plan,
        mount=disk.mount if disk else "",
        uuid=(disk.uuid or found.uuid) if disk else "",
    )
    return Place(job=job, host=store.host, at=at, least=store.retention.min if store.retention else 0)


def steps(where: Place, decision: Decision, *, has_trash: bool = False, may_fail: bool = False) -> tuple[Step, ...]:
    """One step a snapshot that goes; for room each is emptied at once, `unless` there is room.

    What goes for another reason than room goes first and is emptied together, and so is what was in
    the trash before: the first `unless` then sees the room that all of it made. Last is measured what
    was not known when this was decided; `may_fail`: the job goes on where that cannot be noted.
    """
    sure = [one for one in decision.expire if not one.unless]
    rest = [one for one in decision.expire if one.unless]
    made = [_expire(where, gone, number) for number, gone in enumerate(sure, start=1)]
    if sure or has_trash:
        made.append(_reap(where, None, 0))
    for number, gone in enumerate(rest, start=len(sure) + 1):
        made += (_expire(where, gone, number), _reap(where, gone, number))
    return (*made, _measure_after(where, decision, may_fail=may_fail)) if decision.unmeasured else tuple(made)


def _expire(where: Place, gone: Expired, number: int) -> Step:
    frees = ""
    if gone.snapshot.freed_bytes is not None:
        frees = f"; with all older ones that frees {size(gone.snapshot.freed_bytes)}"
    return Step(
        id=f"{where.job}/expire-{number}",
        role=Role.EXPIRE,
        subject=one_line(gone.snapshot.name),
        job=where.job,
        host=where.host,
        effect=Effect.EXPIRE,
        action=Command(argv=tool.expire(where.at, gone.snapshot.name, least=where.least)),
        unless=_unless(where, gone),
        why=f"{gone.snapshot.name}: {gone.reason}{frees}",
    )


def _reap(where: Place, gone: Expired | None, number: int) -> Step:
    return Step(
        id=f"{where.job}/empty-{number}" if gone else f"{where.job}/empty",
        role=Role.EMPTY,
        job=where.job,
        host=where.host,
        effect=Effect.EXPIRE,
        action=Command(argv=tool.reap(where.at)),
        unless=_unless(where, gone) if gone else None,
        timeout=_REAP_PATIENCE,
        why="remove what is in the trash from the disk",
    )


def every(decision: Decision) -> list[Snapshot]:
    """All that were decided about, oldest first."""
    snapshots = [*(one.snapshot for one in decision.keep), *(one.snapshot for one in decision.expire)]
    return sorted(snapshots, key=lambda one: one.name)


def _measure_after(where: Place, decision: Decision, *, may_fail: bool) -> Step:
    snapshots = every(decision)
    known = sum(one.freed_bytes is not None for one in snapshots)
    files = max((one.files or 0 for one in snapshots), default=0) or _NAMES_TO_COUNT
    names = [one.name for one in snapshots[:-1]][: max(_FEWEST, 4 * known, _NAMES_TO_COUNT // files)]
    gone = {one.snapshot.name for one in decision.expire}
    return Step(
        id=f"{where.job}/{'measure' if gone else 'measure-first'}",
        role=Role.MEASURE,
        replans=not gone and not may_fail,
        job=where.job,
        host=where.host,
        action=Command(argv=tool.measure_freed(where.at, tuple(one for one in names if one not in gone))),
        effect=Effect.WRITE,
        timeout=MEASURE_PATIENCE,
        ok_codes=(0, 1) if may_fail else (0,),
        why="measure what expiring the oldest would free: it is not known, and room is short",
    )


def _unless(where: Place, gone: Expired) -> Check | None:
    claim = gone.unless
    if claim is None:
        return None
    return Check(
        host=where.host, argv=tool.newest(where.at), field=claim.field, relation=">=", value=claim.value, why=claim.why
    )
