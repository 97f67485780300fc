"""Putting a restored database in the place of the old one, which is kept under another name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runner.agent.database.contract_restore import DatabaseSession, SwapStanding
from runner.jobs.database import agent
from runner.jobs.database.agent import Swap
from runner.jobs.database.dump import server_of
from runner.jobs.database.restore import SANDBOX, shell
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.plan import Command, Effect, Finding, Lock, PlannedJob, Skip, Step
from runner.model.role import Role
from runner.model.site import Job, Site
from runner.model.text import count, one_line
from runner.tools import agent as store
from runner.tools import detached

JOB = "swap-db"
_SHOWN = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseSwap:
    """The swap that a person wants, at the server of the dump job `job`, and what stands there now."""

    job: Job
    swap: Swap
    standing: SwapStanding


def draft(site: Site, change: DatabaseSwap, now: datetime) -> Draft:
    """One step that ends sessions and changes both names in one transaction; the lock keeps dumps out."""
    if not site.live:
        return Draft(skip=Skip(job=JOB, reason=SANDBOX))
    host, swap = site.host(change.job.host), change.swap
    program, server, plan = store.program(host), server_of(change.job), plan_id(now)
    step = Step(
        id=f"{JOB}/swap",
        role=Role.SWAP,
        job=JOB,
        host=host.name,
        effect=Effect.INTERRUPT,
        timeout=300,
        why=_why(change),
        action=Command(argv=agent.swap(program, server, swap, plan)),
        guard=agent.ready(program, server, swap, host.name),
    )
    hold = detached.hold_host(program, "dump", plan, f"{JOB} of {site.controller}")
    lock = Lock(resource=f"dumps of {host.name}", host=host.name, argv=hold)
    planned = PlannedJob(name=JOB, kind="swap-db", locks=(lock,), headline=_headline(change))
    return Draft(planned=planned, steps=(step,), findings=tuple(_findings(change)))


def _why(change: DatabaseSwap) -> str:
    old, new, before = _names(change.swap)
    kept = f", and {old} is kept as {before}" if change.standing.there else ""
    return f"{new} becomes {old}{kept}, in one transaction"


def _headline(change: DatabaseSwap) -> str:
    old, new, before = _names(change.swap)
    if not change.standing.there:
        return f"{new} is {old} now; there was none before"
    return f"{new} is {old} now; the old one is {before}, and nothing drops it but you"


def undo(swap: Swap) -> str:
    """The command that swaps back."""
    return f"runner restore-db --swap {shell(swap.before)} {shell(swap.name)}"


def _findings(change: DatabaseSwap) -> list[Finding]:
    standing, (old, new, before) = change.standing, _names(change.swap)
    texts = [_made(change)]
    texts.append(
        f"ends {count(standing.connected, 'session')} of {old} and {new}"
        if standing.connected
        else f"nobody is connected to {old} or {new} now; a session that begins before the swap is ended"
    )
    texts += [f"ends the session of {_session(session)}" for session in standing.sessions[:_SHOWN]]
    notes = [Finding(severity="note", text=text, source=JOB) for text in texts]
    if not standing.there:
        return [*notes, Finding(severity="note", text=f"there is no {old} now", source=JOB)]
    kept, do = f"{old} is kept as {before}, and nothing drops it but you", "to undo it afterwards:"
    return [*notes, Finding(severity="note", text=kept, source=JOB, do=do, command=undo(change.swap))]


def _session(session: DatabaseSession) -> str:
    what = f" with {one_line(session.application)}" if session.application else ""
    since = f" since {session.since:%Y-%m-%d %H:%M} UTC" if session.since else ""
    return f"{one_line(session.user or 'the server')}{what} from {one_line(session.client)}{since}"


def _made(change: DatabaseSwap) -> str:
    mark, new = change.standing.mark, one_line(change.swap.new)
    database = one_line(mark.database)
    if mark.runner == "before":
        return f"{new} was {database} until {mark.until:%Y-%m-%d %H:%M} UTC" if mark.until else f"{new} was {database}"
    return (
        f"{new} was restored from the dump {one_line(mark.dump).removesuffix('.dump')} of {database} "
        f"and compared: {count(mark.tables, 'table')}, {count(mark.rows, 'row')}. What was written to "
        f"{one_line(change.swap.name)} since that dump is not in it"
    )


def _names(swap: Swap) -> tuple[str, str, str]:
    return one_line(swap.name), one_line(swap.new), one_line(swap.before)
