"""Expiring snapshots as steps: a decision of `rules/retention` turned into what can be reviewed."""

from __future__ import annotations

from dataclasses import dataclass

from runner.model.facts import StoreFacts
from runner.model.plan import Check, Command, Effect, Finding, Step
from runner.model.site import Site, Store
from runner.model.text import count, size
from runner.rules.retention import Decision, Expired
from runner.tools import store as tool

_REAP_PATIENCE = 24 * 3600


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
        program=tool.program(keeper), path=found.path, plan=plan,
        mount=disk.mount if disk else "", uuid=(disk.uuid or found.uuid) if disk else "",
    )  # fmt: skip
    return Place(job=job, host=store.host, at=at, least=store.retention.min if store.retention else 0)


def steps(where: Place, decision: Decision, *, has_trash: bool = False) -> tuple[Step, ...]:
    """One step a snapshot that goes; for room each is emptied at once, `unless` there is room.

    What goes for another reason than room goes first and is emptied together, and so is what was in
    the trash before: the first `unless` then sees the room that all of it made.
    """
    sure = [one for one in decision.expire if not one.unless]
    rest = [one for one in decision.expire if one.unless]
    made = [_expire(where, gone, number) for number, gone in enumerate(sure, start=1)]
    if sure or has_trash:
        made.append(_reap(where, None, 0))
    for number, gone in enumerate(rest, start=len(sure) + 1):
        made += (_expire(where, gone, number), _reap(where, gone, number))
    return tuple(made)


def findings(where: Place, decision: Decision) -> tuple[Finding, ...]:
    """What a person should see: why nothing may expire where the decision is frozen, and its doubts."""
    said = [(f"nothing expires from this store: {decision.frozen}", decision.do)] if decision.frozen else []
    said += [(doubt.text, doubt.do) for doubt in decision.doubts]
    return tuple(Finding(severity="attention", source=where.job, text=text, do=do) for text, do in said)


def told(decision: Decision) -> str:
    """The decision in one line: how many stay, how many go, what that frees."""
    gone, stay = decision.expire, count(len(decision.keep), "snapshot")
    if not gone:
        return f"nothing to expire: {stay}" if decision.keep else "nothing to expire: no snapshot yet"
    known = [one.snapshot for one in gone if one.snapshot.freed_bytes is not None]
    frees = ""
    if len(known) == len(gone):
        last = known[-1]
        frees = f", which frees {size(last.freed_bytes or 0)} and {count(last.freed_inodes or 0, 'inode')}"
    return f"{count(len(gone), 'snapshot')} may go{frees}; {len(decision.keep)} stay"


def _expire(where: Place, gone: Expired, number: int) -> Step:
    frees = ""
    if gone.snapshot.freed_bytes is not None:
        frees = f"; with all older ones that frees {size(gone.snapshot.freed_bytes)}"
    return Step(
        id=f"{where.job}/expire-{number}", job=where.job, host=where.host, effect=Effect.EXPIRE,
        action=Command(argv=tool.expire(where.at, gone.snapshot.name, least=where.least)),
        unless=_unless(where, gone), why=f"{gone.snapshot.name}: {gone.reason}{frees}",
    )  # fmt: skip


def _reap(where: Place, gone: Expired | None, number: int) -> Step:
    return Step(
        id=f"{where.job}/empty-{number}" if gone else f"{where.job}/empty",
        job=where.job, host=where.host, effect=Effect.EXPIRE,
        action=Command(argv=tool.reap(where.at)), unless=_unless(where, gone) if gone else None,
        timeout=_REAP_PATIENCE, why="remove what is in the trash from the disk",
    )  # fmt: skip


def _unless(where: Place, gone: Expired) -> Check | None:
    claim = gone.unless
    if claim is None:
        return None
    return Check(
        host=where.host, argv=tool.newest(where.at), field=claim.field, relation=">=", value=claim.value,
        why=claim.why,
    )  # fmt: skip
