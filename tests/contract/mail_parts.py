"""What the tests of mail share: reports of each verdict, a sendmail that takes notes, real servers."""

from __future__ import annotations

import email
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Protocol
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from runner.model.plan import Finding, Skip
from runner.model.run import JobReport, Report, Todo, Verdict

PEOPLE = {"admin": ("root@localhost",), "experts": ("expert@example.org", "root@localhost"), "users": ()}

FAILED = Report(
    site="babase",
    run="2026-11-23T081500Z",
    controller="papio",
    verdict=Verdict.FAILED,
    started=datetime(2026, 11, 23, 8, 15, tzinfo=UTC),
    ended=datetime(2026, 11, 23, 10, 2, 12, tzinfo=UTC),
    timezone="America/New_York",
    actions=(
        Todo(
            text="backup-papio: the disk of store papio is not mounted on backup-server1. Plug it in, or mount it: "
            "mount /srv/backups/papio",
            headline="backup-papio: the disk of store papio is not mounted on backup-server1",
        ),
        Todo(
            text="hooks.fsck: disk papio-snapshots is never checked, jobs.toml says every 120 days: on "
            "backup-server1 run:",
            command="tune2fs -i 120d -c 0 -- /dev/disk/by-id/usb-WD_Elements_25A3_575834314537354B31414C37-0:0-part1",
        ),
    ),
    jobs=(
        JobReport(
            job="backup-papio",
            verdict=Verdict.FAILED,
            headline="begin failed: /srv/backups/papio is not a mount point",
            details=("nothing was sent", "the last sealed snapshot is 2026-11-22T081500Z"),
        ),
        JobReport(
            job="backup-backup-server1",
            verdict=Verdict.DONE,
            headline="sealed backup-server1/2026-11-23T101500Z: 91,224 files, 3.2 MiB new in 214 files",
        ),
    ),
    skips=(Skip(job="purge-papio", reason="not due until 2026-11-24 06:30 EST"),),
    findings=(
        Finding(
            severity="note", text="a boot checks disk root (/dev/sda1 of papio) from 2027-03-23 on", source="hooks.fsck"
        ),
        Finding(severity="note", text="papio could be read", source="x", do="read on"),
    ),
    log=("begin: /srv/backups/papio: not a mount point", "exit 1\nsecond line of one entry"),
    recipients=PEOPLE,
)


def fake_sendmail(folder: Path, *, ending: int = 0, says: str = "") -> Path:
    """A program that writes its arguments (NUL-separated) and its input beside itself."""
    program = folder / "sendmail"
    program.write_text(
        f"#!{sys.executable} -IS\n"
        "import os, sys\n"
        f"folder = {str(folder)!r}\n"
        "open(folder + '/argv', 'w').write('\\0'.join(sys.argv[1:]))\n"
        "open(folder + '/stdin', 'wb').write(sys.stdin.buffer.read())\n"
        "open(folder + '/environ', 'w').write(repr(sorted(os.environ)))\n"
        f"sys.stderr.write({says!r})\n"
        f"sys.exit({ending})\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def read(raw: bytes) -> EmailMessage:
    """The message as a mail reader takes it."""
    message = email.message_from_bytes(raw, policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


class Inbox:
    """What a server received; it refuses the people in `refuses`, and whoever has another password."""

    def __init__(self, refuses: tuple[str, ...] = (), password: str = "") -> None:
        self.refuses, self.password = refuses, password
        self.refusal = "550 5.1.1 no such user here"
        self.messages: list[Envelope] = []
        self.encrypted: list[bool] = []

    async def handle_RCPT(
        self, server: Protocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Protocol, session: Session, envelope: Envelope) -> str:
        self.messages.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password.decode() == self.password
        wrong = f"535 5.7.8 wrong: {data.password.decode()}"
        return AuthResult(success=good, handled=good, message=None if good else wrong)


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listened a moment ago."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return int(closed.getsockname()[1])


@contextmanager
def server(inbox: Inbox, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A real SMTP server on loopback for `inbox`; gives its port."""
    extra: dict[str, Any] = {"tls_context": context, "require_starttls": True} if context else {}
    if inbox.password:
        extra |= {"authenticator": inbox.login, "auth_required": True}
    port = free_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=port, **extra)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for localhost, and the certificate that a client must trust for it."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert
