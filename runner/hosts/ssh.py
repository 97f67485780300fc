"""Run commands on a host over ssh: fabric makes the connection, each command has a channel of its own."""

from __future__ import annotations

import secrets
import shlex
import threading
from collections.abc import Sequence
from contextlib import suppress
from signal import Signals

from runner.hosts.connection import OPEN_TIMEOUT, Connection, Unreachable
from runner.hosts.process import ENVIRONMENT
from runner.hosts.session import Carrier, CommandFailure, Session
from runner.hosts.transport import Result, Transport, cannot_start, not_started

# `$0` is a word made for this one command: only the line that begins with it is believed, and it
# comes before anything that the command itself can say. It tells the process group to signal, or 0
# where that is not the login shell's own: an sshd that makes no session would be hit itself.
_START = (
    f"cd /; PATH={ENVIRONMENT['PATH']}; export PATH; read -r a b c d group e </proc/$$/stat; "
    '[ "$group" = $$ ] || [ "$group" = $PPID ] || group=0; '
    'if command -v "$1" >/dev/null 2>&1; then echo "$0 $group" >&2; '
    'exec env -i LC_ALL=C LANGUAGE= PATH="$PATH" TZ=UTC HOME="$HOME" "$@"; fi; echo "$0 absent" >&2; exit 127'
)
_HEAD = 64 << 10


class Ssh(Transport):
    """A host over ssh, by one connection that all its commands share and that is made again when lost.

    Only a host whose key is in one of `known_hosts` is talked to. The login shell there must be a
    Bourne shell. `host` is a name of the ssh configuration at `config_path`.
    """

    def __init__(self, host: str, config_path: str, known_hosts: Sequence[str]) -> None:
        """Connect to nothing yet."""
        super().__init__(host)
        self._connection = Connection(host, config_path, tuple(known_hosts))

    def _open(self, argv: tuple[str, ...]) -> Session | Result:
        try:
            return _RemoteCommand(self._connection, self.host, argv)
        except Unreachable as problem:
            # Not a word of the command: it is not its fault.
            return Result(exit=None, error=f"ssh: {problem}", brief=problem.brief, lost=True)
        except ValueError as problem:
            return not_started(argv, self.host, str(problem))

    def close(self) -> None:
        """See Transport."""
        self._connection.close()


class _RemoteCommand:
    """A command on a channel; see Session for what each method promises."""

    # What the command wrote may still be under way when its end is told, so silence must be long.
    linger = 30.0

    def __init__(self, connection: Connection, host: str, argv: tuple[str, ...]) -> None:
        if not argv or not argv[0] or argv[0].startswith("-") or "=" in argv[0]:
            raise ValueError("that is no name of a command")
        if any("\0" in word for word in argv):
            raise ValueError("embedded null byte")
        self.exit: int | None = None
        self._absent = ""
        self._lost = ""
        self._broken = ""
        self._host, self._argv = host, argv
        self._connection = connection
        self._token = secrets.token_hex(16)
        self._head: bytes | None = b""
        self._group = ""
        self._started = threading.Event()
        command = shlex.join(("sh", "-c", _START, self._token, *argv))
        self._channel = connection.execute(command.encode(errors="surrogateescape"))

    def read(self, err: bool) -> bytes | None:
        try:
            data: bytes = self._channel.recv_stderr(1 << 16) if err else self._channel.recv(1 << 18)
        except TimeoutError:
            return None
        return self._beheaded(data) if err and self._head is not None else data

    def write(self, data: bytes) -> int:
        try:
            return int(self._channel.send(data))
        except TimeoutError:
            return 0
        except EOFError as gone:
            # What paramiko says when the connection dies in the middle of a send; it is no OSError.
            raise BrokenPipeError("the connection is gone") from gone

    def end_input(self) -> None:
        with suppress(OSError, EOFError):
            self._channel.shutdown_write()

    def wait(self, seconds: float) -> bool:
        return bool(self._channel.status_event.wait(seconds))

    def signal(self, number: int) -> None:
        self._started.wait(OPEN_TIMEOUT)
        try:
            if not self._group.isdigit() or int(self._group) < 2:
                raise Unreachable("it never said which processes it has")
            kill = f"kill -s {Signals(number).name[3:]} -- -{self._group}"
            channel = self._connection.execute(kill.encode())
            channel.status_event.wait(OPEN_TIMEOUT)
            channel.close()
        except Unreachable as problem:
            self._lost = f"it could not be ended and may still run there: {problem}"
            self._channel.close()

    def moved(self) -> int:
        return 0

    def close(self) -> None:
        """Close the channel, so that `exit` is known."""
        status = self._channel.exit_status
        killed_by = getattr(self._channel, "killed_by", "")
        if self._absent:
            self.exit = None
        elif status >= 0:
            self.exit = status
        elif killed_by:
            self.exit = -Signals[f"SIG{killed_by}"] if f"SIG{killed_by}" in Signals.__members__ else -1
        else:
            self.exit = 255
            self._broken = self._connection.broken
        self._channel.close()

    def failure(self, carrier: Carrier) -> CommandFailure:
        """A command that loses its connection may live on: `error` says so."""
        if self._absent:
            return CommandFailure(cannot_start(self._argv, self._host, self._absent), brief=self._absent)
        lost = self._lost or (f"{self._broken}; the command may still run there" if self._broken else "")
        left_open = "it ended, but what it started keeps its output open" if carrier.left_open else ""
        brief = "; ".join(filter(None, (carrier.error, self._broken)))
        error = "; ".join(filter(None, (carrier.error, lost, left_open)))
        return CommandFailure(error, brief=brief, lost=bool(self._broken))

    def _beheaded(self, data: bytes) -> bytes | None:
        """Take the first line, which is ours, off the errors; a login shell may have written before it."""
        self._head = (self._head or b"") + data
        before, token, after = self._head.partition(self._token.encode() + b" ")
        group, newline, rest = after.partition(b"\n")
        if data and not newline and len(self._head) < _HEAD:
            return None
        if token and newline:
            self._group = group.decode("ascii", "replace")
            self._absent = "it is not installed there" if self._group == "absent" else ""
            self._started.set()
        else:
            before, rest = self._head, b""
        self._head = None
        return before + rest or (None if data else b"")
