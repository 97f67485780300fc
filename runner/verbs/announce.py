"""What the users are told: that an interruption comes, that it is over or late, that it is not to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

from runner.config.plugins import Hooks
from runner.engine.journal import Journal
from runner.jobs.power import agent_checks, boot_checks, window
from runner.jobs.power.downtime import downtime
from runner.jobs.power.report import away
from runner.jobs.snapshots.when import time_of
from runner.model.errors import ReportUndelivered, UsageError
from runner.model.facts import Announced, Facts, Probe
from runner.model.notice import Notice
from runner.model.options import RebootOptions
from runner.model.plan import Effect, Finding, Step
from runner.model.role import Phase, Role
from runner.model.run import Outcome, Pass, State
from runner.model.site import Job, Site

# An interruption that has not come by then will not come today; people may go on with their work.
_OVERDUE = timedelta(hours=2)
# The looks at a host without which people cannot use it; an old kernel is no concern of theirs.
_NEEDED = frozenset((Role.BACK, Role.SETTLED, Role.DATABASE, Role.PAGE, Role.MOUNTED, Role.RUNS))
_Came = Literal["", "over", "late", "unseen"]


class Desk(Protocol):
    """What is needed of the app; the journal is opened when it is first used, and may not open."""

    site: Site
    hooks: Hooks

    @property
    def journal(self) -> Journal:
        """The journal; RunnerError where it cannot be opened."""
        ...

    def now(self) -> datetime:
        """The time, UTC."""
        ...

    def gather(self, hosts: Sequence[str], probes: Sequence[Probe] = ()) -> Facts:
        """Read these hosts now."""
        ...


def announce(desk: Desk, name: str, at: str, reason: str) -> Notice:
    """Tell the users that the job interrupts them at `at`; only what they were told counts as announced.

    UsageError where there is nothing to announce, nobody who would carry it, or where that is no time to
    come. ReportUndelivered where they were not told: then what was announced before still stands.
    """
    job = _job(desk, name)
    if not desk.hooks.tells_users:
        raise UsageError(
            "no hook carries announcements, so nobody would be told", do="add [hooks.announce] to jobs.toml"
        )
    moment = time_of(at, zone=desk.site.timezone)
    if isinstance(moment, str):
        raise UsageError(f"'{at}' is not a time to come", do=moment)
    if moment <= desk.now():
        raise UsageError(f"'{at}' is not a time to come", do="it has passed: say a later one")
    windows = getattr(_terms(desk, job), "window", ())
    if windows and window.open_until(windows, moment, desk.site.timezone) is None:
        do = "choose another time, or change `window` in jobs.toml"
        raise UsageError(f"{job.host} may be interrupted {' and '.join(windows)} only", do=do)
    why = reason or str(getattr(_terms(desk, job), "reason", ""))
    before = desk.journal.announcements.coming().get(name)
    instead = before.at if before and before.at != moment else None
    notice = _notice(desk, job, moment)
    notice = replace(notice, reason=why, downtime=_foretold(desk, job, moment), instead=instead)
    _deliver(desk, notice)
    desk.journal.announcements.add(name, Announced(at=moment, notified=desk.now(), reason=why))
    return notice


def _foretold(desk: Desk, job: Job, moment: datetime) -> tuple[float, float] | None:
    """The least and the most seconds that it should take; None where it does not come back by itself, or a
    disk is checked of which nobody knows how long that takes."""
    # Only who switches a host off must be told how to start it again.
    if hasattr(job.options, "start"):
        return None
    checks: tuple[float | None, ...] = ()
    if desk.site.live:
        devices = [disk.device for disk in desk.site.disks if disk.host == job.host]
        facts = desk.gather((job.host,), (agent_checks.probe(job.host, devices),))
        checks = boot_checks.awaited(desk.site, facts, job, moment)
    if None in checks:
        return None
    took = desk.journal.took().get((job.name, Role.BACK, ""), ())
    return downtime(took, sum(one for one in checks if one is not None))


def cancel(desk: Desk, name: str) -> Notice:
    """Tell them that it is not to be. UsageError where nothing is announced; ReportUndelivered: it still stands."""
    job = _job(desk, name)
    announced = desk.journal.announcements.coming().get(name)
    if announced is None:
        raise UsageError(f"nothing is announced for {name}", do="`runner status` shows what is")
    return _told(desk, replace(_notice(desk, job, announced.at), what="cancelled", reason=announced.reason))


def over(desk: Desk, name: str) -> Notice:
    """Tell them that it is over at last. UsageError where they do not wait for it; ReportUndelivered."""
    job = _job(desk, name)
    announced = desk.journal.announcements.late().get(name)
    if announced is None:
        do = "a run that sees the host come back says so itself"
        raise UsageError(f"the users of {job.host} do not wait for the end of {name}", do=do)
    return _told(desk, replace(_notice(desk, job, announced.at), what="over", reason=announced.reason))


def _told(desk: Desk, notice: Notice) -> Notice:
    _deliver(desk, notice)
    desk.journal.announcements.end(notice.job, desk.now(), notice.what)
    return notice


def settle(desk: Desk, done: Sequence[Pass]) -> tuple[Finding, ...]:
    """Tell the users what became of what was announced; findings for those who could not be told.

    An interruption that was carried out is over, or late where the host cannot be used; one that was
    refused, or whose time is long past, is cancelled. Of one that nobody watched to its end they are told
    nothing: a person is asked to.
    """
    said: list[Finding] = []
    # All passes: an upgrade may reboot first, and upgrade in the next.
    ended = {
        one.job: tuple(each for item in done for each in item.outcomes if each.job == one.job)
        for item in done
        for one in item.outcomes
    }
    late = desk.journal.announcements.late()
    for name, announced in {**late, **desk.journal.announcements.coming()}.items():
        job = next((one for one in desk.site.jobs if one.name == name), None)
        outcomes = ended.get(name, ())
        came, took = _came(outcomes, done)
        if name in late and came != "over":
            continue
        if job and _is_off(outcomes, done):
            # It was announced as going, and it went: when it is back is said by whoever starts it.
            desk.journal.announcements.end(name, desk.now(), "late")
            text = f"when {job.host} is on again, tell its users: runner announce {name} --over"
            said.append(Finding(severity="note", source="announcements", text=text, phase=Phase.RUN))
            continue
        begun = None if came else desk.journal.interrupting(name, announced.notified)
        if job and ((begun and begun.alive) or not (came or begun or desk.now() - announced.at >= _OVERDUE)):
            continue
        notice = replace(
            _notice(desk, job or Job(name=name, kind="", host="", options=None), announced.at),
            what=came if came in ("over", "late") else "cancelled",
            reason=announced.reason,
            took=took,
        )
        said += _settled(desk, notice, unseen=came == "unseen" or begun is not None)
    return tuple(said)


def _settled(desk: Desk, notice: Notice, *, unseen: bool) -> Iterator[Finding]:
    """Tell this to the users, unless nobody has seen what became of it, and to a person what they must know."""
    name, what = notice.job, "late" if unseen else notice.what
    desk.journal.announcements.end(name, desk.now(), what)
    text, do = "", f"when {notice.host} can be used again, tell them: runner announce {name} --over"
    if unseen:
        text = f"{name} was begun, and whether {notice.host} is back was not seen; its users were told nothing more"
    elif what == "late":
        text = f"the users of {notice.host} were told that it cannot be used yet"
    elif what == "cancelled":
        text = f"{name} was announced for {notice.at:%Y-%m-%d %H:%M} UTC and did not run; the users are told so"
        do = "announce it anew"
    if text:
        yield Finding(severity="attention", source="announcements", text=text, do=do, phase=Phase.RUN)
    for hook, why in () if unseen else desk.hooks.deliver_notice(notice):
        text = f"the users could not be told: {why}"
        yield Finding(severity="attention", source=f"hooks.{hook}", text=text, do=f"tell them that {name} is {what}")


def _came(outcomes: Sequence[Outcome], done: Sequence[Pass]) -> tuple[_Came, float | None]:
    """What became of a job that was run, and how long its host was away; "" where it interrupted nobody."""
    steps = {step.id: step for item in done for step in item.plan.steps}
    taking = [one for one in outcomes if _takes_power(steps[one.step])]
    down = [one for one in taking if one.state == State.DONE]
    if not down:
        halfway = any(one.state == State.INTERRUPTED and one.exit is not None for one in taking)
        interrupted = not taking and any(
            one.state == State.DONE and steps[one.step].effect == Effect.INTERRUPT for one in outcomes
        )
        return ("unseen" if halfway else "over" if interrupted else ""), None
    # Each pass is a plan of its own, and its steps stand in the order of that plan.
    own = next(item for item in reversed(done) if down[-1] in item.outcomes).outcomes
    last = [one for one in own[own.index(down[-1]) :] if one.job == down[-1].job and one.role in _NEEDED]
    if any(one.state in (State.FAILED, State.STALE, State.BUSY) for one in last):
        return "late", None
    known = {one.role: one for one in last}
    if Role.BACK not in known or any(one.state not in (State.DONE, State.NOT_NEEDED) for one in last):
        return "unseen", None
    return "over", away(down[-1], known[Role.BACK], known.get(Role.SETTLED))


def _takes_power(step: Step) -> bool:
    return step.effect == Effect.INTERRUPT and "power" in step.needs


def _is_off(outcomes: Sequence[Outcome], done: Sequence[Pass]) -> bool:
    """Whether a job took its host down for good: it never meant to wait for it."""
    ids = {one.step for one in outcomes}
    own = [step for item in done for step in item.plan.steps if step.id in ids]
    off = [step for step in own if _takes_power(step)]
    waits = any(step.role == Role.BACK for step in own)
    return (
        bool(off)
        and not waits
        and all(one.state == State.DONE for one in outcomes if one.step in {step.id for step in off})
    )


def _job(desk: Desk, name: str) -> Job:
    known = [one for one in desk.site.jobs if one.name == name]
    if not known:
        names = ", ".join(one.name for one in desk.site.jobs if hasattr(_terms(desk, one), "announce"))
        raise UsageError(f"there is no job '{name}' in jobs.toml", do=f"those that interrupt people: {names or 'none'}")
    (job,) = known
    if not hasattr(_terms(desk, job), "announce"):
        do = "there is nothing to announce"
        raise UsageError(f"{name} is of kind {job.kind}, which interrupts nobody", do=do)
    return job


def _terms(desk: Desk, job: Job) -> object:
    """The options that say when it may interrupt people: an upgrade has those of its host's reboot job."""
    if job.kind != "upgrade":
        return job.options
    reboots = (one.options for one in desk.site.jobs if one.kind == "reboot" and one.host == job.host)
    return next(reboots, RebootOptions())


def _notice(desk: Desk, job: Job, at: datetime) -> Notice:
    site = desk.site
    return Notice(
        what="coming",
        site=site.name,
        job=job.name,
        host=job.host,
        at=at,
        timezone=site.timezone,
        sandbox="" if site.live else site.sandbox,
        recipients=site.people.users,
    )


def _deliver(desk: Desk, notice: Notice) -> None:
    failed = desk.hooks.deliver_notice(notice)
    if failed:
        lost = "; ".join(f"{name}: {why}" for name, why in failed)
        raise ReportUndelivered(lost, do="mend that and say it again; until then they were not told")
