"""The notices to users: an interruption comes, is over or late, or is cancelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from runner.config.plugins import Hooks
from runner.engine.journal import Journal
from runner.jobs.snapshots.when import time_of
from runner.model.errors import ReportUndelivered, UsageError
from runner.model.facts import Announced, Facts, Probe
from runner.model.notice import Notice
from runner.model.options import HaltOptions, RebootOptions
from runner.model.plan import Effect, Finding
from runner.model.role import Phase, Role
from runner.model.run import Outcome, Pass, State
from runner.model.site import Job, Site
from runner.model.text import length

# An interruption that has not come by then will not come today; people may go on with their work.
_OVERDUE = timedelta(hours=2)
# The looks at a host without which people cannot use it; an old kernel is no concern of theirs.
_NEEDED = frozenset((Role.BACK, Role.SETTLED, Role.DATABASE, Role.PAGE, Role.MOUNTED, Role.RUNS))
_End = Literal["", "over", "late", "unseen"]


class NoticeDesk(Protocol):
    """What is needed of the app; the journal is opened when it is first used, and may not open."""

    site: Site
    hooks: Hooks

    @property
    def journal(self) -> Journal:
        """The journal; RunnerError where it cannot be opened."""

    def now(self) -> datetime:
        """The time, UTC."""

    def gather(self, hosts: Sequence[str], probes: Sequence[Probe] = ()) -> Facts:
        """Read these hosts now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """A notice that was sent now, or one that the users have had `since` then and were not sent again."""

    notice: Notice
    since: datetime | None = None


def announce(desk: NoticeDesk, name: str, at: str, reason: str) -> Announcement:
    """Tell the users that the job interrupts them at `at`; only a notice that was delivered counts as announced.

    What they were told already they are not told again. UsageError where there is nothing to announce, no hook to
    deliver it, or where the job would refuse to run at that time. ReportUndelivered where it was not delivered: then
    what was announced before still stands.
    """
    job = _job(desk, name)
    if not desk.hooks.tells_users:
        raise UsageError("no hook delivers notices, so nobody would hear of it", do="add [hooks.announce] to jobs.toml")
    now = desk.now()
    moment = time_of(at, zone=desk.site.timezone, now=now)
    if isinstance(moment, str):
        raise UsageError(f"'{at}' is not a clear time", do=moment)
    if moment <= now:
        raise UsageError(f"'{at}' is not in the future", do="it has passed: give a later time")
    why = reason or str(getattr(_terms(desk, job), "reason", ""))
    before = desk.journal.announcements.coming().get(name)
    same = before if before and before.at == moment else None
    # Who hears another reason has known the time since the first notice.
    announced = Announced(at=moment, notified=same.notified if same else now, reason=why)
    _require_possible(desk, job, announced, now)
    notice = replace(_notice(desk, job, moment), reason=why)
    if announced == same:
        return Announcement(notice=notice, since=announced.notified)
    instead = before.at if before and not same else None
    notice = replace(notice, downtime=_foretold(desk, job, moment), instead=instead)
    _deliver(desk, notice)
    desk.journal.announcements.add(name, announced)
    return Announcement(notice=notice)


def _require_possible(desk: NoticeDesk, job: Job, announced: Announced, now: datetime) -> None:
    """UsageError, with the first time that will do, where the job would refuse to run at the announced one."""
    from runner.jobs.power import window  # late, as all of power: every run settles, and few have been announced

    terms = _terms(desk, job)
    if not isinstance(terms, RebootOptions | HaltOptions):
        return
    zone = desk.site.timezone
    if terms.window and window.open_until(terms.window, announced.at, zone) is None:
        text = f"{job.host} may be interrupted {' and '.join(terms.window)} only"
    elif terms.announce is not None and announced.at - announced.notified < terms.announce:
        ahead, wanted = length(announced.at - announced.notified), length(terms.announce)
        text = f"{ahead} ahead is too soon: {job.name} wants its users told {wanted} ahead"
    else:
        return
    first = window.first_told(terms, zone, now).astimezone(ZoneInfo(zone))
    # By the clock on the wall, unless that shows this time twice.
    plain = f"{first:%Y-%m-%d %H:%M}"
    shown = plain if isinstance(time_of(plain, zone=zone, now=now), datetime) else first.isoformat(" ", "minutes")
    raise UsageError(text, do=f"the first time that will do is '{shown}': runner announce {job.name} --at '{shown}'")


def _foretold(desk: NoticeDesk, job: Job, moment: datetime) -> tuple[float, float] | None:
    """The least and the most seconds that it should take; None where it does not come back by itself, or a
    disk is checked of which nobody knows how long that takes."""
    from runner.jobs.power import agent_checks, boot_checks
    from runner.jobs.power.downtime import downtime

    # Only a job that switches a host off has an option for how to start it.
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
    return downtime(took, sum(seconds for seconds in checks if seconds is not None))


def cancel(desk: NoticeDesk, name: str) -> Notice:
    """Tell them that it is cancelled. UsageError where nothing is announced; ReportUndelivered: it still stands."""
    job = _job(desk, name)
    announced = desk.journal.announcements.coming().get(name)
    if announced is None:
        raise UsageError(f"nothing is announced for {name}", do="`runner status` shows what is")
    return _notify(desk, replace(_notice(desk, job, announced.at), what="cancelled", reason=announced.reason))


def over(desk: NoticeDesk, name: str) -> Notice:
    """Tell them that it is over at last. UsageError where they do not wait for it; ReportUndelivered."""
    job = _job(desk, name)
    announced = desk.journal.announcements.late().get(name)
    if announced is None:
        do = "a run that sees the host return tells them itself"
        raise UsageError(f"the users of {job.host} are not waiting for the end of {name}", do=do)
    return _notify(desk, replace(_notice(desk, job, announced.at), what="over", reason=announced.reason))


def _notify(desk: NoticeDesk, notice: Notice) -> Notice:
    _deliver(desk, notice)
    desk.journal.announcements.end(notice.job, desk.now(), notice.what)
    return notice


def settle(desk: NoticeDesk, done: Sequence[Pass]) -> tuple[Finding, ...]:
    """Tell the users how what was announced has ended; a finding where a notice was not delivered.

    An interruption that took place is over, or late where the host cannot be used; one that was
    refused, or whose time is long past, is cancelled. If nobody watched it to its end, they are told
    nothing more: a person is asked to tell them.
    """
    findings: list[Finding] = []
    # All passes: an upgrade may reboot first, and upgrade in the next.
    ended = {
        outcome.job: tuple(each for item in done for each in item.outcomes if each.job == outcome.job)
        for item in done
        for outcome in item.outcomes
    }
    late = desk.journal.announcements.late()
    for name, announced in {**late, **desk.journal.announcements.coming()}.items():
        job = next((declared for declared in desk.site.jobs if declared.name == name), None)
        outcomes = ended.get(name, ())
        end, took = _end_of(outcomes, done)
        if name in late and end != "over":
            continue
        if job and _is_off(outcomes, done):
            # It was announced, and it went off: whoever starts it again says when it is back.
            desk.journal.announcements.end(name, desk.now(), "late")
            text, do = f"{job.host} was switched off, as announced", "when it is on again, tell its users:"
            note = Finding(severity="note", source="announcements", text=text, do=do, phase=Phase.RUN)
            findings.append(replace(note, command=f"runner announce {name} --over"))
            continue
        begun = None if end else desk.journal.interrupting(name, announced.notified)
        if job and ((begun and begun.alive) or not (end or begun or desk.now() - announced.at >= _OVERDUE)):
            continue
        notice = replace(
            _notice(desk, job or Job(name=name, kind="", host="", options=None), announced.at),
            what=end if end in ("over", "late") else "cancelled",
            reason=announced.reason,
            took=took,
        )
        findings += _settled(desk, notice, unseen=end == "unseen" or begun is not None)
    return tuple(findings)


def _settled(desk: NoticeDesk, notice: Notice, *, unseen: bool) -> Iterator[Finding]:
    """Send the notice, unless nobody saw how it ended; a finding for what a person must know."""
    name, what = notice.job, "late" if unseen else notice.what
    desk.journal.announcements.end(name, desk.now(), what)
    text, do = "", f"when {notice.host} can be used again, tell them:"
    command = f"runner announce {name} --over"
    if unseen:
        text = f"{name} was begun, but nobody saw whether {notice.host} returned; its users were told nothing more"
    elif what == "late":
        text = f"the users of {notice.host} were told that it cannot be used yet"
    elif what == "cancelled":
        text = f"{name} was announced for {notice.at:%Y-%m-%d %H:%M} UTC and did not run; the users are told so"
        do, command = "announce it anew", ""
    if text:
        wrong = Finding(severity="attention", source="announcements", text=text, do=do, phase=Phase.RUN)
        yield replace(wrong, command=command)
    for hook, why in () if unseen else desk.hooks.deliver_notice(notice):
        text = f"the users could not be told: {why}"
        yield Finding(severity="attention", source=f"hooks.{hook}", text=text, do=f"tell them that {name} is {what}")


def _end_of(outcomes: Sequence[Outcome], done: Sequence[Pass]) -> tuple[_End, float | None]:
    """How a job ended for the users, and how long its host was away; "" where it interrupted nobody."""
    from runner.jobs.power.report import away

    steps = {step.id: step for item in done for step in item.plan.steps}
    taking = [outcome for outcome in outcomes if steps[outcome.step].takes_power]
    down = [outcome for outcome in taking if outcome.state == State.DONE]
    if not down:
        halfway = any(outcome.state == State.INTERRUPTED and outcome.exit is not None for outcome in taking)
        interrupted = not taking and any(
            outcome.state == State.DONE and steps[outcome.step].effect == Effect.INTERRUPT for outcome in outcomes
        )
        return ("unseen" if halfway else "over" if interrupted else ""), None
    # Each pass is a plan of its own, and its steps stand in the order of that plan.
    own = next(item for item in reversed(done) if down[-1] in item.outcomes).outcomes
    last = [
        outcome for outcome in own[own.index(down[-1]) :] if outcome.job == down[-1].job and outcome.role in _NEEDED
    ]
    if any(outcome.state in (State.FAILED, State.STALE, State.BUSY) for outcome in last):
        return "late", None
    known = {outcome.role: outcome for outcome in last}
    if Role.BACK not in known or any(outcome.state not in (State.DONE, State.NOT_NEEDED) for outcome in last):
        return "unseen", None
    return "over", away(down[-1], known[Role.BACK], known.get(Role.SETTLED))


def _is_off(outcomes: Sequence[Outcome], done: Sequence[Pass]) -> bool:
    """Whether a job took its host down for good: it never meant to wait for it."""
    ids = {outcome.step for outcome in outcomes}
    own = [step for item in done for step in item.plan.steps if step.id in ids]
    off = [step for step in own if step.takes_power]
    waits = any(step.role == Role.BACK for step in own)
    return (
        bool(off)
        and not waits
        and all(outcome.state == State.DONE for outcome in outcomes if outcome.step in {step.id for step in off})
    )


def _job(desk: NoticeDesk, name: str) -> Job:
    known = [job for job in desk.site.jobs if job.name == name]
    if not known:
        names = ", ".join(job.name for job in desk.site.jobs if hasattr(_terms(desk, job), "announce"))
        raise UsageError(f"there is no job '{name}' in jobs.toml", do=f"those that interrupt people: {names or 'none'}")
    (job,) = known
    if not hasattr(_terms(desk, job), "announce"):
        do = "there is nothing to announce"
        raise UsageError(f"{name} is of kind {job.kind}, which interrupts nobody", do=do)
    return job


def _terms(desk: NoticeDesk, job: Job) -> object:
    """The options that say when it may interrupt people: an upgrade has those of its host's reboot job."""
    if job.kind != "upgrade":
        return job.options
    reboots = (other.options for other in desk.site.jobs if other.kind == "reboot" and other.host == job.host)
    return next(reboots, RebootOptions())


def _notice(desk: NoticeDesk, job: Job, at: datetime) -> Notice:
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


def _deliver(desk: NoticeDesk, notice: Notice) -> None:
    failed = desk.hooks.deliver_notice(notice)
    if failed:
        lost = "; ".join(f"{name}: {why}" for name, why in failed)
        raise ReportUndelivered(lost, do="fix that and announce it again: the users were not told")
