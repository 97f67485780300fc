"""What a person takes out of a store, as a plan: snapshots out of the count and back, interrupted ones."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from runner.agent.retention.contract.aside import BringBack, DropAside, SetAside
from runner.agent.store.contract.partials import DropPartials
from runner.jobs.retention import steps
from runner.jobs.retention.thinning import counting
from runner.model.facts import Snapshot, StoreFacts
from runner.model.kind import Draft
from runner.model.names import plan_id, snapshot_time
from runner.model.plan import Effect, Finding, PlannedJob, Step
from runner.model.role import Role
from runner.model.site import Site, Store
from runner.model.text import count, length, size
from runner.tools import agent

_EMPTIES = 24 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class AsideRequest:
    """These snapshots of `store`, whose facts these are, or these interrupted ones."""

    store: Store
    facts: StoreFacts
    names: tuple[str, ...]


def set_aside(site: Site, asked: AsideRequest, now: datetime) -> Draft:
    """One EXPIRE step a snapshot, the newest first: what is inherited then goes on to one that stays."""
    where = _where(site, "set-aside", asked, now)
    at, policy = where.at, asked.store.retention
    made = []
    for number, name in enumerate(sorted(asked.names, reverse=True), start=1):
        argv = at.call("set-aside", SetAside(at.path, name, at.plan, where.least, at.disk, where.per_day))
        step = where.step(f"aside-{number}", Role.ASIDE, Effect.EXPIRE, argv, f"{name}{_about(asked, name, now)}")
        made.append(replace(step, subject=name, timeout=_EMPTIES))
    stay = [each for each in asked.facts.sealed if each.recorded and each.name not in asked.names]
    left = counting(stay, policy).count if policy else len(stay)
    findings = []
    if policy and left < policy.min and not set(asked.names) <= set(asked.facts.lost):
        many = count(left, "snapshot")
        text = f"{many} without exceptions will count in store {asked.store.name}, min is {policy.min}"
        findings.append((text, "nothing expires from it until there are enough"))
    if proven := [each.name for each in asked.facts.sealed if each.name in asked.names and each.proven]:
        text = f"the last drill that succeeded was of {', '.join(proven)}: it proves nothing about those that stay"
        findings.append((text, "run the drill when this is done"))
    head = f"take {_shown(asked.names)} out of store {asked.store.name}; nothing is removed"
    draft = _draft(where, asked, "aside", head, made, findings)
    # Of what is lost only the record goes aside: there is nothing that could come back.
    if not (whole := sorted(set(asked.names) - set(asked.facts.lost))):
        return draft
    them, their = ("it", "its") if len(whole) == 1 else ("them", "their")
    # Before that time none of them is let in again, since no snapshot could be made after it.
    ahead = any((time := snapshot_time(name)) is not None and time > now for name in whole)
    back = Finding(
        severity="note",
        source=where.job,
        text="nothing is removed",
        do=f"to let {them} count again{f', once {their} time has come' if ahead else ''}:",
        command=shlex.join(("runner", "snapshots", asked.store.name, "--bring-back", *whole)),
    )
    return replace(draft, findings=(*draft.findings, back))


def bring_back(site: Site, asked: AsideRequest, now: datetime) -> Draft:
    """One WRITE step a snapshot."""
    where = _where(site, "bring-back", asked, now)
    made = [
        replace(
            where.step(
                f"back-{number}",
                Role.BACK_AGAIN,
                Effect.WRITE,
                where.at.call("bring-back", BringBack(where.at.path, name, where.at.plan, where.at.disk)),
                f"{name} counts again, and expires like any other",
            ),
            subject=name,
        )
        for number, name in enumerate(sorted(asked.names), start=1)
    ]
    return _draft(where, asked, "aside", f"let {_shown(asked.names)} count again in store {asked.store.name}", made)


def drop_aside(site: Site, asked: AsideRequest, now: datetime) -> Draft:
    """One DESTROY step a snapshot, and what empties the trash: after that there is no way back."""
    where = _where(site, "drop-aside", asked, now)
    room = {each.name: each.room for each in asked.facts.aside}
    made = [
        replace(
            where.step(
                f"drop-{number}",
                Role.DROP,
                Effect.DESTROY,
                where.at.call("drop-aside", DropAside(where.at.path, name, where.at.plan, where.at.disk)),
                f"{name} is removed for good{_frees(room.get(name))}",
            ),
            subject=name,
        )
        for number, name in enumerate(sorted(asked.names), start=1)
    ]
    lie = "lies" if len(asked.names) == 1 else "lie"
    head = f"remove {_shown(asked.names)} that {lie} aside in store {asked.store.name} for good"
    return _draft(where, asked, "drop", head, [*made, _empty(where)])


def drop_partials(site: Site, asked: AsideRequest, now: datetime) -> Draft:
    """Two EXPIRE steps: they go to the trash, and it is emptied."""
    where = _where(site, "drop-partials", asked, now)
    at = where.at
    argv = at.call("drop-partials", DropPartials(at.path, asked.names, at.plan, at.disk))
    are, them = ("is", "it") if len(asked.names) == 1 else ("are", "them")
    names = ", ".join(asked.names)
    why = f"{names} {are} interrupted: what was sent of {them} is removed, and the next run sends it again"
    step = where.step("drop", Role.DROP_PARTIALS, Effect.EXPIRE, argv, why)
    interrupted = count(len(asked.names), "interrupted snapshot")
    return _draft(where, asked, "drop", f"drop {interrupted} of store {asked.store.name}", [step, _empty(where)])


def _where(site: Site, verb: str, asked: AsideRequest, now: datetime) -> steps.Place:
    return steps.place(site, f"{verb}-{asked.store.name}", asked.store, asked.facts, plan_id(now))


def _draft(
    where: steps.Place,
    asked: AsideRequest,
    kind: str,
    head: str,
    made: Sequence[Step],
    findings: Sequence[tuple[str, str]] = (),
) -> Draft:
    """`about` of the job is the store's name, for the report."""
    notes = (Finding(severity="note", source=where.job, text=text, do=do) for text, do in findings)
    planned = PlannedJob(name=where.job, kind=kind, locks=(where.lock,), headline=head, about=asked.store.name)
    return Draft(planned=planned, steps=tuple(made), findings=tuple(notes))


def _empty(where: steps.Place) -> Step:
    why = "remove what is in the trash from the disk"
    step = where.step("empty", Role.EMPTY, Effect.EXPIRE, agent.reap(where.at), why)
    return replace(step, timeout=_EMPTIES)


def _about(asked: AsideRequest, name: str, now: datetime) -> str:
    if name in asked.facts.lost:
        return ": only its record is left, which is kept aside"
    at = snapshot_time(name)
    snapshot = next((each for each in asked.facts.sealed if each.name == name), None)
    ahead = f" lies {length(at - now)} in the future and" if at and at > now else ""
    return f"{ahead} counts no more; it is kept aside, whole{_takes(snapshot)}"


def _takes(snapshot: Snapshot | None) -> str:
    room = snapshot.added_room if snapshot else None
    return "" if room is None else f", with the {size(room)} that it brought"


def _frees(room: int | None) -> str:
    return "" if room is None else f", with the {size(room)} that it brought where no other has them"


def _shown(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} snapshots ({min(names)} to {max(names)})"
