"""Mails the users of a host: an interruption comes, it is over, it is late, or it is cancelled.

Use it with a table `[hooks.announce]`; the people are those of `users` in jobs.toml, and the keys that say how it is
sent are those of `[hooks.mail]`. In the sandbox nothing is sent: the message is a file in `sandbox/mail`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hooks import mail_text
from hooks.post import Letter, Post
from runner.hookspecs import hookimpl
from runner.model.errors import ReportUndelivered
from runner.model.notice import Notice
from runner.model.text import length

_HEADLINES = {
    "coming": "{host} will be down from {when}, for {downtime}",
    "over": "{host} is back",
    "late": "{host} cannot be used yet",
    "cancelled": "{host} stays up: nothing happens at {when}",
}
_MANY = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Announce:
    """The hook; `what` names, in words, what people miss while the host is down."""

    post: Post = Post()
    what: str = ""

    @hookimpl
    def deliver_notice(self, notice: Notice) -> None:
        """Mail the notice to the users, or raise ReportUndelivered."""
        now, about = datetime.now(UTC), f"{notice.job}-{notice.at:%Y%m%dT%H%M%SZ}"
        # An announcement made again needs a name of its own: mail systems drop a Message-ID that they know.
        letter = Letter(
            subject=subject(notice),
            text=body(notice, self.what),
            at=now,
            name=f"{about}-{notice.what}-{now:%Y%m%dT%H%M%S%fZ}",
            site=notice.site,
            host=notice.host,
            about=about,
        )
        self.post.send(letter, notice.recipients, notice.sandbox)
        if not notice.recipients:
            raise ReportUndelivered("there is nobody to tell", do="fill people.users in jobs.toml")


def plugin(settings: Mapping[str, Any]) -> Announce:
    """Make the hook from `[hooks.announce]`; raises ValueError for a sender that is no address."""
    return Announce(post=Post.of(settings, "hooks.announce"), what=settings.get("what", ""))


def subject(notice: Notice) -> str:
    """One line that says it all."""
    headline = _HEADLINES[notice.what].format(
        host=notice.host, when=_time(notice.at, notice), downtime=_downtime(notice)
    )
    return mail_text.header(f"[{notice.site}] {headline}")


def body(notice: Notice, what: str) -> str:
    """The message: what, when with the zone, how long, why, and what to do if that does not suit."""
    return mail_text.render(
        "announce.txt.j2",
        notice=notice,
        when=_time(notice.at, notice),
        utc=f"{notice.at.astimezone(UTC):%H:%M} UTC",
        instead=_time(notice.instead, notice) if notice.instead else "",
        downtime=_downtime(notice),
        took=length(notice.took) if notice.took else "",
        what=what,
    )


def _time(moment: datetime, notice: Notice) -> str:
    at = moment.astimezone(ZoneInfo(notice.timezone))
    return f"{at:%A} {at.day} {at:%B %Y}, {at:%H:%M %Z}"


def _downtime(notice: Notice) -> str:
    if notice.downtime is None:
        return "an unknown time"
    least, most = notice.downtime
    if least == most:
        return f"about {length(most)}"
    if most < _MANY:
        return f"about {least / 60:.0f} to {most / 60:.0f} minutes"
    return f"{length(least)} to {length(most)}"
