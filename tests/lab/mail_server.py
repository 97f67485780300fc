"""A mail server of a host of the lab that wants a login: `python -m tests.lab.mail_server PASSWORD_FILE PORT BOX`.

The password that it wants is in the file when it starts. It repeats a wrong one, as some servers do, puts what it takes
into the file BOX, and ends when its input does.
"""

from __future__ import annotations

import sys
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.contract.mail_parts import Inbox


class Box(Inbox):
    """An inbox that is a file."""

    def __init__(self, file: Path, password: str) -> None:
        super().__init__(password=password)
        self._file = file

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        with self._file.open("ab") as box:
            box.write(content if isinstance(content, bytes) else (content or "").encode())
        return await super().handle_DATA(server, session, envelope)


if __name__ == "__main__":
    inbox = Box(Path(sys.argv[3]), Path(sys.argv[1]).read_text().strip())
    taken = Controller(
        inbox, hostname="127.0.0.1", port=int(sys.argv[2]), authenticator=inbox.login, auth_required=True,
        auth_require_tls=False,
    )  # fmt: skip
    taken.start()
    print("ready", flush=True)
    sys.stdin.read()
    taken.stop()
