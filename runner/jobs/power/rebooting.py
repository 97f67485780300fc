"""A reboot as part of any job: what stands against it, what it takes, its steps, what a person should know."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from runner.agent.power.contract import LookAfterBoot
from runner.jobs.power import after, agent, before, boot_checks, downtime, window
from runner.jobs.power import locks as power_locks
from runner.jobs.power.request import RebootRequest, findings
from runner.jobs.power.window import Objection
from runner.model.options import RebootOptions
from runner.model.plan import Command, Finding, Lock, Step, WaitFor
from runner.model.role import Role
from runner.model.site import Site
from runner.model.text import length


def options_of(site: Site, host: str) -> RebootOptions:
    """The options of the first reboot job of `host`, or those of one that says nothing."""
    options = (job.options for job in site.jobs if job.host == host and isinstance(job.options, RebootOptions))
    return next(options, RebootOptions())


def against(request: RebootRequest, now: datetime) -> tuple[Objection, ...]:
    """Everything that forbids it now; empty where it may be."""
    site, job = request.site, request.job
    return (
        *window.against(site, job, request.options, request.facts, now),
        *power_locks.against(request.stores),
        *before.against(site.host(job.host), request.before),
    )


def known(request: RebootRequest) -> tuple[Finding, ...]:
    """What a person should look at first, although it forbids nothing; who is interrupted, and for how long."""
    site, job, facts = request.site, request.job, request.facts
    host, away = site.host(job.host), _away(request)
    doubts = (
        *window.overruns(site, job, request.options, facts, timedelta(seconds=away.most) if away.known else None),
        *_too_long_before(request),
        *_unforeseen(job.host, boot_checks.unread(facts, job.host)),
        *before.doubts(site, host, request.before, facts),
        *power_locks.unknown(request.stores),
    )
    span = length(away.least) if away.least == away.most else f"{length(away.least)} to {length(away.most)}"
    unknown = "" if away.known else "; a disk check of unknown length comes on top: allow hours"
    text = f"{job.host} should be away for {span}{unknown}; the run waits {length(request.patience.back)} for it"
    return findings(job, doubts, (*before.notes(host, request.before, facts), text))


def _too_long_before(request: RebootRequest) -> tuple[Objection, ...]:
    """Whether the checks that are made before may last until it is too late for the reboot itself."""
    early, by = request.early.values(), request.by
    seconds = sum(most for most in early if most is not None)
    if not early or by is None or (None not in early and request.facts.at + timedelta(seconds=seconds) < by):
        return ()
    lasts = length(seconds) if None not in early else "many hours"
    text = f"the disk check before the reboot may last {lasts}, and then it is too late for the reboot itself"
    do = 'let the boot make the check, or put it off: when_due = "tell" or "defer" in [hooks.fsck]'
    return (Objection(text=text, do=do),)


def _unforeseen(host: str, why: str) -> tuple[Objection, ...]:
    do = "give it hours before you take it for dead, and do not switch it off"
    text = f"whether the boot of {host} checks a disk, which may take hours, could not be read: {why}"
    return (Objection(text=text, do=do),) if why else ()


class Away(NamedTuple):
    """The least and the most seconds that it should be away, and whether the checks at the boot are in that."""

    least: float
    most: float
    known: bool


def _away(request: RebootRequest) -> Away:
    checks = boot_checks.awaited(request.site, request.facts, request.job, request.facts.at)
    check = sum(most for most in checks if most is not None)
    return Away(*downtime.downtime(request.took, check), None not in checks)


def locks(request: RebootRequest) -> tuple[Lock, ...]:
    """The host's power and packages, and every store that it has to do with, until the step that reboots.

    A store on a disk that is checked before is released in a step of the fsck hook.
    """
    job, early = request.job, request.early
    return (
        *request.own_locks(request.id),
        *(
            request.store_lock(
                each, boot_checks.release_step(job.name, each.store.name) if each.store.disk in early else request.id
            )
            for each in request.stores
            if each.usable
        ),
    )


def steps(request: RebootRequest, why: str) -> tuple[Step, ...]:
    """Its steps, from `idle` to the last look. The one that reboots is `reboot`, the one that waits is `back`.

    `reboot` is never run twice: in another boot than the planned one its guard fails. The looks after
    `settled` are taken each despite the others.
    """
    boot, host, prefix, here = request.boot, request.job.host, request.prefix, request.before
    idle = request.step(
        f"{prefix}idle",
        Command(argv=agent.idle(boot, request.by)),
        "nothing is being written, and nothing blocks a shutdown",
    )
    # Nobody may have taken a store of which the lock ended for the check of its disk.
    released = [each.path for each in request.stores if each.facts and each.store.disk in request.early]
    unwritten = agent.idle(boot, request.by, released)
    down = request.down(f"{prefix}reboot", agent.reboot(here.systemd), why, unwritten)
    patience = request.patience
    back = request.step(
        f"{prefix}back",
        WaitFor(until=agent.is_back(host, boot), within=patience.back),
        f"it answers, in another boot; waited for {patience.why}",
    )
    # What comes after a reboot that is only the first thing is planned when the host is back.
    back = replace(back, replans=bool(prefix))
    over = "its boot is over, and no disk is being checked"
    until = agent.has_returned(host, agent.returned(boot.program, LookAfterBoot("settled")), over)
    settled = request.step(f"{prefix}settled", WaitFor(until=until, within=patience.settle), over)
    roles = {Role.IDLE: idle, Role.DOWN: down, Role.BACK: back, Role.SETTLED: settled}
    return (*(step.known_as(role, request.which) for role, step in roles.items()), *after.steps(request, settled))
