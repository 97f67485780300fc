"""Sends a message to people: by the sendmail program, over SMTP, or into a file of the sandbox."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from hooks import mail_local, mail_text
from runner.model.errors import ReportUndelivered

# What may stand in an envelope and a header as it is: a comma would make one person two, and a dash at the start
# would be an option of sendmail.
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
ADDRESS = re.compile(rf"(?!-){ATOM}(\.{ATOM})*(@[A-Za-z0-9][A-Za-z0-9.-]*)?")

# As the schemas of the hooks that mail say.
SENDMAIL = "/usr/sbin/sendmail"

# ASCII in lines that SMTP allows is what no server changes on the way; everything else is encoded as that.
WIDTH, LONGEST = 78, 998
POLICY = SMTP.clone(cte_type="7bit", max_line_length=WIDTH)


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A message before it has headers: `name` is its own in file and Message-ID, `host` is where it comes from.

    Messages that have the same `about` belong together. `log` is attached where there is one.
    """

    subject: str
    text: str
    at: datetime
    name: str
    site: str
    host: str
    about: str = ""
    log: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """How messages are sent, as `table` of jobs.toml says: `sender` is empty for root of this host, without `smtp`
    it is sendmail.
    """

    sender: str = ""
    sendmail: str = SENDMAIL
    smtp: Mapping[str, Any] = field(default_factory=dict)
    table: str = "hooks.mail"

    @classmethod
    def of(cls, settings: Mapping[str, Any], table: str) -> Post:
        """From `from`, `sendmail` and `smtp` of the hook's `table`; ValueError for a sender that is no address."""
        sender = settings.get("from", "")
        if sender and not ADDRESS.fullmatch(sender):
            raise ValueError(f"from: {sender!r} is not a plain mail address")
        sendmail = settings.get("sendmail", SENDMAIL)
        return cls(sender=sender, sendmail=sendmail, smtp=settings.get("smtp", {}), table=table)

    def send(self, letter: Letter, people: tuple[str, ...], sandbox: str) -> None:
        """Send it, in the sandbox write it to a file; ReportUndelivered with what the server or program printed.

        A wrong address is named so, and keeps no other from its message.
        """
        good = tuple(person for person in people if ADDRESS.fullmatch(person))
        message = compose(letter, good, self.sender or self._root())
        if sandbox:
            mail_local.keep(message, Path(sandbox, "mail", f"{mail_text.word(letter.name)}.eml"))
        elif good and self.smtp:
            from hooks import mail_smtp  # noqa: PLC0415  (35 ms that only those who use it should take)

            mail_smtp.over_smtp(message, good, mail_smtp.MailServer(**self.smtp), self.table)
        elif good:
            envelope = ("-f", self.sender) if self.sender else ()
            mail_local.by_sendmail(message, good, (self.sendmail, "-i", *envelope), self.table)
        if bad := [mail_text.header(person) for person in people if person not in good]:
            do = "write it as name@example.com, one address a string, under people in jobs.toml"
            raise ReportUndelivered(f"not mailed to {', '.join(bad)}: not a plain mail address", do=do)

    def _root(self) -> str:
        # The sendmail program knows what this host is called in mail; a server elsewhere does not.
        return f"root@{socket.gethostname()}" if self.smtp else "root"


def compose(letter: Letter, people: tuple[str, ...], sender: str) -> EmailMessage:
    """Make the message; nothing that the letter holds can add a header or a recipient."""
    user, _, domain = sender.partition("@")
    place = domain or mail_text.word(letter.host)
    message = EmailMessage(policy=POLICY)
    message["Subject"] = letter.subject
    message["From"] = Address(display_name=f"runner of {mail_text.header(letter.site)}", username=user, domain=domain)
    if people:
        message["To"] = ", ".join(people)
    message["Date"] = format_datetime(letter.at)
    message["Message-ID"] = f"<{mail_text.word(letter.name)}.{mail_text.word(letter.site)}@{place}>"
    if letter.about:
        # No message has that id, but mail programs group messages that refer to the same one.
        message["References"] = f"<{mail_text.word(letter.about)}.{mail_text.word(letter.site)}@{place}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text, cte=_encoding(letter.text))
    if letter.log:
        message.add_attachment(letter.log, filename="log.txt", cte=_encoding(letter.log))
    if letter.subject.isascii() and len(letter.subject) < WIDTH < len(f"Subject: {letter.subject}"):
        # Python would fold it before its first word, and readers and filters would get " [site]".
        message.policy = POLICY.clone(max_line_length=LONGEST)
    return message


def _encoding(text: str) -> str:
    plain = text.isascii() and max(map(len, text.splitlines())) <= LONGEST
    return "7bit" if plain else "quoted-printable"
