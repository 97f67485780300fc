"""Mails the report of every run: one message, the verdict in its subject, what to do at the top.

Use it with a table `[hooks.mail]`; without `smtp` the message goes to the sendmail program. In the
sandbox nothing is sent: the message is a file in `sandbox/mail`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hooks import mail_text
from hooks.post import Letter, Post
from runner.hookspecs import hookimpl
from runner.model.errors import ReportUndelivered
from runner.model.run import Report, Verdict
from runner.tools import called


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """The hook. `groups` are the people of jobs.toml that get every message; `quiet` leaves out
    the runs after which nobody has to do anything.
    """

    post: Post = Post()
    groups: tuple[str, ...] = ("admin",)
    quiet: bool = False

    @hookimpl
    def deliver_report(self, report: Report) -> None:
        """Mail the report, or raise ReportUndelivered with the answer of the server or the program."""
        if self.quiet and report.verdict in (Verdict.NOTHING, Verdict.DONE):
            return
        for_experts = report.verdict is Verdict.FAILED and not report.was_stopped
        groups = (*self.groups, "experts") if for_experts else self.groups
        people = tuple(dict.fromkeys(person for group in groups for person in report.recipients.get(group, ())))
        self.post.send(letter(report), people, report.sandbox)
        if not people:
            do = f"fill people.{' or people.'.join(groups)} in jobs.toml"
            raise ReportUndelivered("there is nobody to mail it to", do=do)


def plugin(settings: Mapping[str, Any]) -> Mail:
    """Make the hook from `[hooks.mail]`; raises ValueError for a sender that is no address."""
    return Mail(
        post=Post.of(settings, "hooks.mail"),
        groups=tuple(settings.get("to", ("admin",))),
        quiet=settings.get("when", "always") == "attention",
    )


def letter(report: Report) -> Letter:
    """The report as a message."""
    spelling = called.here()
    return Letter(
        subject=mail_text.subject(report),
        text=mail_text.body(report, spelling),
        log=mail_text.log_file(report, spelling),
        at=report.ended,
        name=report.run,
        site=report.site,
        host=report.controller,
    )
