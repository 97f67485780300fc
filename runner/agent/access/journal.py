"""The systemd journal, read through journalctl(1): who wrote a line is known there, whatever it claims."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import cast

from ..answer import Refused, shown
from ..command import ENVIRONMENT, ask
from . import messages
from .logs import PROGRAMS, LogLine, bounded

FOLDERS = ("/var/log/journal", "/run/log/journal")
_FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_UID,_EXE"
_SELECTED = 236
_SYSTEM = frozenset(("/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin"))


def there(folder: str) -> bool:
    """Whether a journal is kept in `folder`."""
    return any(Path(folder).glob("*/*.journal"))


class AccessJournal:
    """Reads the journal of a time (whole seconds since 1970); the fields are those of `Files`.

    `pretended`: lines under the name of a program of ours that another program of another user wrote;
    `unproven`: those of sudo and su that count, though the journal does not know which program wrote them.
    """

    def __init__(self, since: int, until: int) -> None:
        self.long = 0
        self.pretended = self.unproven = self._unreadable = 0
        self.problems: list[str] = []
        self._window = (f"--since=@{since}", f"--until=@{until}")
        self.covered = _printed("--lines=1", f"--until=@{since}")
        self.written = float(since if _printed("--lines=1", *self._window) else 0)

    def lines(self) -> Iterator[LogLine]:
        """Every message of our programs, oldest first. Refused where journalctl fails."""
        names = [f"SYSLOG_IDENTIFIER={name.decode()}" for name in PROGRAMS]
        argv = ["journalctl", "--no-pager", "--quiet", "--output=json", *_selection(), *self._window, *names]
        with tempfile.TemporaryFile() as complaints:
            with subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, env=ENVIRONMENT
            ) as process:
                for raw in bounded(cast(BufferedIOBase, process.stdout)):
                    line = None if raw is None else self._line(raw)
                    if line is not None:
                        yield line
                    elif raw is None:
                        self.long += 1
            complaints.seek(0)
            warning = complaints.read(300).decode("utf-8", "replace").strip()
        if process.returncode:
            raise Refused(f"journalctl ended with {process.returncode}: {shown(warning)}", "run `journalctl --verify`")
        if warning:
            # A damaged file of the journal is passed over with a warning, and exit 0.
            self.problems.append(shown(warning))
        if self._unreadable:
            self.problems.append(f"entries of the journal that make no sense: {self._unreadable}")

    def _line(self, raw: bytes) -> LogLine | None:
        try:
            entry = json.loads(raw)
            at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        except (ValueError, KeyError, TypeError):
            self._unreadable += 1
            return None
        message = entry.get("MESSAGE")
        if message is None:
            # journalctl leaves out what is longer than 4096 bytes.
            self.long += 1
            return None
        line = LogLine(
            at,
            _bytes(entry.get("SYSLOG_IDENTIFIER")),
            _bytes(entry.get("SYSLOG_PID") or entry.get("_PID")),
            _bytes(message),
        )
        writer = whose(line, str(entry.get("_UID", "0")), entry.get("_EXE"))
        self.pretended += writer == "another"
        self.unproven += writer == "unproven"
        return line if writer in ("own", "unproven") else None


def whose(line: LogLine, uid: str, executable: object) -> str:
    """Whether its program itself (`own`) or `another` wrote it; `unproven` where that is not known, "" for
    what sshd and login write as another user: that is about those who are in already, and is not counted.

    sudo and su run as whoever calls them, and a program that has ended before the journal looked has no
    `_EXE` there. A user may call a program of his own su, but not put it into a folder of the system.
    """
    if uid == "0":
        return "own"
    read = {b"sudo": messages.sudo, b"su": messages.su, b"login": messages.login}.get(line.program, messages.read)
    if line.program not in (b"sudo", b"su"):
        return "another" if read(line.message) else ""
    if not isinstance(executable, str):
        return "unproven" if read(line.message) else ""
    folder, _, name = executable.rpartition("/")
    return "own" if folder in _SYSTEM and name.encode() == line.program else "another"


def _bytes(value: object) -> bytes:
    """A field of the journal: text, a list of bytes where it is not UTF-8, or a list of several of either."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if not isinstance(value, list) or not value:
        return b""
    if all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
        return bytes(value)
    return _bytes(value[-1]) if not isinstance(value[-1], int) else b""


def _printed(*options: str) -> bool:
    output = ask(("journalctl", "--no-pager", "--quiet", "--output=json", *options), timeout=120)
    if output.exit is None:
        raise Refused(f"journalctl does not work: {output.err}", "look at journald")
    return bool(output.out.strip())


def _selection() -> tuple[str, ...]:
    """Only the fields that are needed, where this journalctl can do that: it is several times as fast."""
    version = re.match(r"systemd ([0-9]{1,6})", ask(("journalctl", "--version"), timeout=10).out)
    return (f"--output-fields={_FIELDS}",) if version and int(version[1]) >= _SELECTED else ()
