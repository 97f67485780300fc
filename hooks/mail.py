"""Mails the report of every run: one message, the verdict in its subject, what to do at the top.

Use it with a table `[hooks.mail]`; without `smtp` the message goes to the sendmail program. In the
sandbox nothing is sent: the message is a file in `sandbox/mail`.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from hooks import mail_local, mail_text
from runner.hookspecs import hookimpl
from runner.model.errors import ReportUndelivered
from runner.model.run import Report, Verdict

# What may stand in an envelope and in a header as it is: a comma would make two people of one,
# a dash at the start an option of sendmail.
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
ADDRESS = re.compile(rf"(?!-){ATOM}(\.{ATOM})*(@[A-Za-z0-9][A-Za-z0-9.-]*)?")

# What no server may change on the way: ASCII in lines that SMTP allows. All else is encoded to be that.
POLICY = SMTP.clone(cte_type="7bit")
LONGEST = 998


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """The hook. `groups` are the people of jobs.toml that get every message; `quiet` leaves out
    the runs after which nobody has to do anything. `sender` is empty for root of this host.
    """

    sender: str = ""
    groups: tuple[str, ...] = ("admin",)
    quiet: bool = False
    sendmail: str = "/usr/sbin/sendmail"
    smtp: Mapping[str, Any] = field(default_factory=dict)

    @hookimpl
    def deliver_report(self, report: Report) -> None:
        """Mail the report, or raise ReportUndelivered with what the server or the program said."""
        if self.quiet and report.verdict in (Verdict.NOTHING, Verdict.DONE):
            return
        groups = self._groups(report.verdict)
        people = recipients(report, groups)
        good = tuple(person for person in people if ADDRESS.fullmatch(person))
        message = compose(report, good, self.sender or self._root())
        if report.sandbox:
            mail_local.keep(message, Path(report.sandbox, "mail", f"{mail_text.word(report.run)}.eml"))
        elif good and self.smtp:
            from hooks import mail_smtp  # noqa: PLC0415  (35 ms that only those who use it should take)

            mail_smtp.over_smtp(message, good, mail_smtp.Server(**self.smtp))
        elif good:
            mail_local.by_sendmail(message, good, (self.sendmail, "-i", *self._envelope()))
        if not people:
            raise ReportUndelivered(
                "nobody is to be mailed", do=f"fill people.{' or people.'.join(groups)} in jobs.toml"
            )
        if bad := [mail_text.header(person) for person in people if person not in good]:
            raise ReportUndelivered(
                f"not mailed to {', '.join(bad)}: no plain mail address",
                do="write it as name@example.com, one address a string, under people in jobs.toml",
            )

    def _groups(self, verdict: Verdict) -> tuple[str, ...]:
        return (*self.groups, "experts") if verdict is Verdict.FAILED else self.groups

    def _root(self) -> str:
        # The sendmail program knows what this host is called in mail; a server elsewhere does not.
        return f"root@{socket.gethostname()}" if self.smtp else "root"

    def _envelope(self) -> tuple[str, ...]:
        return ("-f", self.sender) if self.sender else ()


def plugin(settings: Mapping[str, Any]) -> Mail:
    """Make the hook from `[hooks.mail]`; raises ValueError for a sender that is no address."""
    given = dict(settings)
    sender = given.get("from", "")
    if sender and not ADDRESS.fullmatch(sender):
        raise ValueError(f"from: {sender!r} is no plain mail address")
    return Mail(
        sender=sender,
        groups=tuple(given.get("to", ("admin",))),
        quiet=given.get("when", "always") == "attention",
        sendmail=given.get("sendmail", "/usr/sbin/sendmail"),
        smtp=given.get("smtp", {}),
    )


def recipients(report: Report, groups: tuple[str, ...]) -> tuple[str, ...]:
    """Everybody in these groups once, in the order of jobs.toml."""
    return tuple(dict.fromkeys(person for group in groups for person in report.recipients.get(group, ())))


def compose(report: Report, people: tuple[str, ...], sender: str) -> EmailMessage:
    """Make the message; nothing that the report holds can add a header or a recipient."""
    user, _, domain = sender.partition("@")
    place = domain or mail_text.word(report.controller)
    message = EmailMessage(policy=POLICY)
    message["Subject"] = mail_text.subject(report)
    message["From"] = Address(
        display_name=f"runner of {mail_text.header(report.site)}", username=user, domain=domain
    )
    if people:
        message["To"] = ", ".join(people)
    message["Date"] = format_datetime(report.ended)
    message["Message-ID"] = f"<{mail_text.word(report.run)}.{mail_text.word(report.site)}@{place}>"
    message["Auto-Submitted"] = "auto-generated"
    text = mail_text.body(report)
    plain = text.isascii() and max(map(len, text.splitlines())) <= LONGEST
    message.set_content(text, cte="7bit" if plain else "quoted-printable")
    return message
