"""Sends a message to a mail server over SMTP."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal

from runner.model.errors import Exposed, ReportUndelivered
from runner.tools import secret

_LONGEST = 4096
PATIENCE = 60  # seconds that a mail server may take to answer
# What a server answers that wants to be asked again: RFC 5321, 4.2.1.
_PUT_OFF = range(400, 500)
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True, slots=True)
class MailServer:
    """A mail server. `tls` encrypts from the start, `starttls` after a greeting; both check its
    certificate. The password is the first line of `password_file`, which only its owner may read.
    """

    host: str
    port: int = 25
    tls: Literal["none", "starttls", "tls"] = "none"
    user: str = ""
    password_file: str = ""


def over_smtp(message: EmailMessage, people: Sequence[str], server: MailServer, table: str) -> None:
    """Send the message; ReportUndelivered unless the server takes it for all of the people.

    `table` is the one of jobs.toml that names the server.

    No text holds the password: not even an error in which the server repeats it.
    """
    password = _password(server, table) if server.user else ""
    place = f"mail server {server.host}:{server.port}"
    try:
        with _connect(server) as session:
            if server.user:
                session.login(server.user, password)
            refused = session.send_message(message, to_addrs=list(people))
    except smtplib.SMTPRecipientsRefused as problem:
        refused = problem.recipients
    except (OSError, smtplib.SMTPException, ValueError) as problem:
        do = f"see that the server runs and that {table}.smtp in jobs.toml is right"
        answer = _without(_answer(problem), server.user, password)
        raise ReportUndelivered(f"{place}: {answer}", do=do, passing=_is_passing(problem)) from None
    if refused:
        answers = "; ".join(f"{who}: {code} {_text(reply)}" for who, (code, reply) in refused.items())
        if all(code in _PUT_OFF for code, _ in refused.values()):
            do = "nothing, unless it stays so: then ask who keeps that mail server"
            raise ReportUndelivered(f"{place} puts off {answers}", do=do, passing=True)
        raise ReportUndelivered(f"{place} refuses {answers}", do="correct the address under people in jobs.toml")


def _connect(server: MailServer) -> smtplib.SMTP:
    # smtplib would ask the name server for our own name, and wait for it.
    name = socket.gethostname()
    if server.tls == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, name, timeout=PATIENCE, context=context)
    session = smtplib.SMTP(server.host, server.port, name, timeout=PATIENCE)
    if server.tls == "starttls":
        try:
            session.starttls(context=ssl.create_default_context())
        except BaseException:
            session.close()
            raise
    return session


def _password(server: MailServer, table: str) -> str:
    if server.tls == "none" and server.host not in LOOPBACK:
        text = f"the password for {server.host} would be sent unencrypted"
        raise ReportUndelivered(text, do=f"set {table}.smtp.tls in jobs.toml")
    path = server.password_file
    try:
        password = secret.read(path, _LONGEST).decode().partition("\n")[0].rstrip("\r")
    except Exposed as problem:
        raise ReportUndelivered(problem.text, do=problem.do or problem.command) from None
    except (OSError, UnicodeDecodeError) as problem:
        # What is not UTF-8 is shown by its place: the error itself holds the bytes.
        why = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
        text = f"the password in {path or 'password_file'} cannot be read: {why}"
        do = f"set {table}.smtp.password_file in jobs.toml to a file with one line"
        raise ReportUndelivered(text, do=do) from None
    if not password.isascii() or not password:
        raise ReportUndelivered(f"the password in {path} is empty or not ASCII", do=f"write it into {path} again")
    return password


def _without(text: str, user: str, password: str) -> str:
    if password:
        login = f"\0{user}\0{password}"
        for secret in (password, *(base64.b64encode(part.encode()).decode() for part in (password, login))):
            text = text.replace(secret, "***")
    return text


def _is_passing(problem: Exception) -> bool:
    if isinstance(problem, smtplib.SMTPResponseException):
        return problem.smtp_code in _PUT_OFF
    return isinstance(problem, TimeoutError | ConnectionError | socket.gaierror | smtplib.SMTPServerDisconnected)


def _answer(problem: Exception) -> str:
    if isinstance(problem, smtplib.SMTPSenderRefused):
        return f"it refuses the sender {problem.sender}: {problem.smtp_code} {_text(problem.smtp_error)}"
    if isinstance(problem, smtplib.SMTPResponseException):
        return f"{problem.smtp_code} {_text(problem.smtp_error)}"
    if isinstance(problem, TimeoutError):
        return f"no answer within {PATIENCE} seconds"
    return (problem.strerror if isinstance(problem, OSError) else "") or str(problem)


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="backslashreplace") if isinstance(answer, bytes) else answer
