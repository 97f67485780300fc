"""Whether a host may be interrupted now: the hours that jobs.toml allows, and what its users were told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from runner.jobs.power import window_rules
from runner.model.facts import Announced, Facts
from runner.model.site import Job, Site
from runner.model.text import length

# People plan their day by what they were told: not before, and not in the evening what was said for noon.
_EARLY = timedelta(minutes=1)
_LATE = timedelta(hours=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrong:
    """A reason against it, and what to do."""

    text: str
    do: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class When:
    """The windows in which it is allowed, empty for always, and how long before people must be told, if at all."""

    windows: tuple[str, ...] = ()
    announce: timedelta | None = None


def against(site: Site, job: Job, when: When, facts: Facts, now: datetime) -> tuple[Wrong, ...]:
    """Why the job may not interrupt its host now; nothing where it may."""
    return (*_closed(site, job, when, now), *_untold(site, job, when, facts, now))


def closes(site: Site, job: Job, when: When, facts: Facts) -> datetime | None:
    """Until when it may, None where there is no end: a plan may be applied long after it was made."""
    ends = [window_rules.closes(when.windows, facts.at, site.timezone)] if when.windows else []
    told = facts.announced.get(job.name)
    if when.announce is not None and told is not None:
        ends.append(told.at + _LATE)
    return min((one for one in ends if one is not None), default=None)


def overruns(site: Site, job: Job, when: When, facts: Facts, most: timedelta | None) -> tuple[Wrong, ...]:
    """Whether the host may still be away, `most` (None: nobody knows) from now, when its window has closed."""
    ends = window_rules.closes(when.windows, facts.at, site.timezone) if when.windows else None
    if ends is None or (most is not None and facts.at + most <= ends):
        return ()
    away = (
        f"may be away until {_shown(site, facts.at + most)}" if most is not None else "may be away for hours"
    )
    text = f"{job.host} {away}, and its window closes at {_shown(site, ends)}"
    return (
        Wrong(
            text=text,
            do="begin earlier; a disk check can be made before the reboot (when_due in [hooks.fsck])",
        ),
    )


def _closed(site: Site, job: Job, when: When, now: datetime) -> tuple[Wrong, ...]:
    if not when.windows or window_rules.closes(when.windows, now, site.timezone):
        return ()
    opens = window_rules.opens(when.windows, now, site.timezone)
    text = f"{job.host} may be interrupted {' and '.join(when.windows)} only"
    return (Wrong(text=text, do=f"try again from {_shown(site, opens)} on"),)


def _untold(site: Site, job: Job, when: When, facts: Facts, now: datetime) -> tuple[Wrong, ...]:
    told = facts.announced.get(job.name)
    if when.announce is None:
        return _early(site, job, told, now) if told else ()
    tell = f"announce it at least {length(when.announce)} ahead: runner announce {job.name} --at TIME"
    if told is None:
        return (Wrong(text=f"the users of {job.host} have not been told", do=tell),)
    at = _shown(site, told.at)
    if told.at - told.told < when.announce:
        ahead = length(max(told.at - told.told, timedelta(0)))
        return (Wrong(text=f"the users were told only {ahead} ahead that it comes at {at}", do=tell),)
    if now > told.at + _LATE:
        late = length(now - told.at)
        return (Wrong(text=f"the users were told that it comes at {at}, which is {late} ago", do=tell),)
    return _early(site, job, told, now)


def _early(site: Site, job: Job, told: Announced, now: datetime) -> tuple[Wrong, ...]:
    if now >= told.at - _EARLY:
        return ()
    at = _shown(site, told.at)
    do = f"try again at {at}, or take it back first: runner announce {job.name} --cancel"
    return (Wrong(text=f"the users were told that it comes at {at}, not before", do=do),)


def _shown(site: Site, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(site.timezone)):%a %Y-%m-%d %H:%M %Z}"
