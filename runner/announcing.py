"""What the users are told: that an interruption comes, that it is over or late, that it is not to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from runner.edge.journal import Journal
from runner.edge.plugins import Hooks
from runner.model.errors import ReportUndelivered, UsageError
from runner.model.facts import Announced
from runner.model.notice import Notice
from runner.model.options import RebootOptions
from runner.model.plan import Effect, Finding
from runner.model.run import Outcome, Pass, State
from runner.model.site import Job, Site
from runner.rules import window
from runner.rules.downtime import downtime
from runner.rules.when import moment_of
from runner.view.came_of import latest
from runner.view.came_of_power import away

# An interruption that has not come by then will not come today; people may go on with their work.
_OVERDUE = timedelta(hours=2)


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


def announce(desk: Desk, name: str, at: str, reason: str) -> Notice:
    """Tell the users that the job interrupts them at `at`; recorded before they are told.

    UsageError where there is nothing to announce, nobody who would carry it, or where that is no time to
    come. ReportUndelivered where they were not told: then nothing counts as announced.
    """
    job = _job(desk, name)
    if not desk.hooks.tells_users:
        raise UsageError(
            "no hook carries announcements, so nobody would be told", do="add [hooks.announce] to jobs.toml"
        )
    moment = moment_of(at, zone=desk.site.timezone, now=desk.now())
    if moment is None or moment <= desk.now():
        do = "say it as '2026-11-28 17:00', in the site's time zone"
        raise UsageError(f"'{at}' is not a time to come", do=do)
    windows = getattr(_terms(desk, job), "window", ())
    if windows and window.closes(windows, moment, desk.site.timezone) is None:
        do = "choose another time, or change `window` in jobs.toml"
        raise UsageError(f"{job.host} may be interrupted {' and '.join(windows)} only", do=do)
    why = reason or str(getattr(_terms(desk, job), "reason", ""))
    seconds = downtime(desk.journal.took().get(f"{name}/back", ()))
    desk.journal.announce(name, Announced(at=moment, told=desk.now(), reason=why))
    notice = replace(_notice(desk, job, moment), reason=why, downtime=seconds)
    try:
        _deliver(desk, notice)
    except ReportUndelivered:
        desk.journal.announcement_ended(name, desk.now(), "not delivered")
        raise
    return notice


def cancel(desk: Desk, name: str) -> Notice:
    """Tell them that it is not to be. UsageError where nothing is announced; ReportUndelivered."""
    job = _job(desk, name)
    announced = desk.journal.announced().get(name)
    if announced is None:
        raise UsageError(f"nothing is announced for {name}", do="`runner status` shows what is")
    notice = replace(_notice(desk, job, announced.at), what="cancelled", reason=announced.reason)
    desk.journal.announcement_ended(name, desk.now(), "cancelled")
    _deliver(desk, notice)
    return notice


def settle(desk: Desk, done: Sequence[Pass]) -> tuple[Finding, ...]:
    """Tell the users what became of what was announced; findings for those who could not be told.

    An interruption that was carried out is over, or late where the host is not back; one that was
    refused, or whose time is long past, is cancelled.
    """
    said: list[Finding] = []
    ended = {job.name: outcomes for job, plan, outcomes in latest(done)}
    for name, announced in desk.journal.announced().items():
        known = [job for job in desk.site.jobs if job.name == name]
        outcomes = ended.get(name, ())
        if known and _is_off(outcomes, done):
            # It was announced as going, and it went: when it comes back is for whoever starts it.
            desk.journal.announcement_ended(name, desk.now(), "over")
            continue
        notice = _became(desk, known[0], announced, outcomes, done) if known else None
        if notice is None and known and desk.now() - announced.at < _OVERDUE:
            continue
        if notice is None:
            job = known[0] if known else Job(name=name, kind="", host="", options=None)
            notice = replace(_notice(desk, job, announced.at), what="cancelled", reason=announced.reason)
            text = f"{name} was announced for {announced.at:%Y-%m-%d %H:%M} UTC and did not run; the users are told so"
            said.append(
                Finding(severity="attention", source="announcements", text=text, do="announce it anew")
            )
        desk.journal.announcement_ended(name, desk.now(), notice.what)
        said += [
            Finding(severity="attention", source=f"hooks.{hook}", text=f"the users could not be told: {why}",
                    do=f"tell them that {name} is {notice.what}")
            for hook, why in desk.hooks.deliver_notice(notice)
        ]  # fmt: skip
    return tuple(said)


def _became(
    desk: Desk, job: Job, announced: Announced, outcomes: Sequence[Outcome], done: Sequence[Pass]
) -> Notice | None:
    """The notice of a job that was run; None where it was not, or has not yet interrupted anybody."""
    steps = {step.id: step for item in done for step in item.plan.steps if step.job == job.name}
    taking = {one.id for one in steps.values() if one.effect == Effect.INTERRUPT and "power" in one.needs}
    down = [one for one in outcomes if one.state == State.DONE and one.step in taking]
    back = [one for one in outcomes if one.step.endswith("/back") and one.state == State.DONE]
    base = replace(_notice(desk, job, announced.at), reason=announced.reason)
    if not down:
        interrupted = not taking and any(
            one.state == State.DONE and steps[one.step].effect == Effect.INTERRUPT for one in outcomes
        )
        return replace(base, what="over") if interrupted else None
    if not back:
        return replace(base, what="late")
    settled = [one for one in outcomes if one.step.endswith("/settled") and one.state == State.DONE]
    return replace(base, what="over", took=away(down[0], back[-1], settled[-1] if settled else None))


def _is_off(outcomes: Sequence[Outcome], done: Sequence[Pass]) -> bool:
    """Whether a job took its host down for good: it never meant to wait for it."""
    ids = {one.step for one in outcomes}
    own = [step for item in done for step in item.plan.steps if step.id in ids]
    off = [step for step in own if step.effect == Effect.INTERRUPT and "power" in step.needs]
    waits = any(step.id.endswith("/back") for step in own)
    return (
        bool(off)
        and not waits
        and all(one.state == State.DONE for one in outcomes if one.step in {step.id for step in off})
    )


def _job(desk: Desk, name: str) -> Job:
    known = [one for one in desk.site.jobs if one.name == name]
    if not known:
        names = ", ".join(one.name for one in desk.site.jobs if hasattr(_terms(desk, one), "announce"))
        raise UsageError(
            f"there is no job '{name}' in jobs.toml", do=f"those that interrupt people: {names or 'none'}"
        )
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
        what="coming", site=site.name, job=job.name, host=job.host, at=at, timezone=site.timezone,
        sandbox="" if site.live else site.sandbox, recipients=site.people.users,
    )  # fmt: skip


def _deliver(desk: Desk, notice: Notice) -> None:
    failed = desk.hooks.deliver_notice(notice)
    if failed:
        lost = "; ".join(f"{name}: {why}" for name, why in failed)
        raise ReportUndelivered(lost, do="mend that and say it again; until then they were not told")
