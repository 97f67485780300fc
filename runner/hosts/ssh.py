"""Run commands on a host over ssh: fabric makes the connection, each command has a channel of its own."""

from __future__ import annotations

import os
import re
import shlex
import threading
from collections.abc import Sequence
from contextlib import suppress
from signal import Signals
from time import monotonic

from runner.hosts.bounds import fault
from runner.hosts.connection import OPEN_TIMEOUT, Connection
from runner.hosts.line import Unreachable, gone, refused_to_run, shut
from runner.hosts.process import ENVIRONMENT
from runner.hosts.session import Carrier, CommandFailure, Session
from runner.hosts.transport import Result, Transport, cannot_start, not_started
from runner.model.text import printable

# `$0` is a word made for this one command, and only what comes after it is the command's: a login shell
# may print what it likes first. On the errors it tells the process group to signal, or 0 where that is not
# the login shell's own: an sshd that makes no session would be hit itself.
_START = (
    f"cd /; PATH={ENVIRONMENT['PATH']}; export PATH; read -r a b c d group e </proc/$$/stat; "
    '[ "$group" = $$ ] || [ "$group" = $PPID ] || group=0; '
    'if command -v "$1" >/dev/null 2>&1; then echo "$0"; echo "$0 $group" >&2; '
    'exec env -i LC_ALL=C LANGUAGE= PATH="$PATH" TZ=UTC HOME="$HOME" "$@"; fi; echo "$0 absent" >&2; exit 127'
)
# No kernel has more digits for one; 0 and 1 are groups that are not the command's alone.
_GROUP = re.compile(r"[1-9][0-9]{1,9}|[2-9]")
# For what has to be said to the host after that for which there was time enough, in seconds.
_BRIEFLY = 2.0
_HEAD = 64 << 10
_LINE = 128
_QUOTED = 300


class Ssh(Transport):
    """A host over ssh, by one connection that all its commands share and that is made again when lost.

    Only a host whose key is in one of `known_hosts` is talked to. The login shell there must be a
    Bourne shell. `host` is a name of the ssh configuration at `config_path`.
    """

    def __init__(self, host: str, config_path: str, known_hosts: Sequence[str], agent: str = "") -> None:
        """Connect to nothing yet."""
        super().__init__(host, agent)
        self.connection = Connection(host, config_path, tuple(known_hosts))

    def _open(self, argv: tuple[str, ...]) -> Session | Result:
        try:
            return _RemoteCommand(self.connection, self.host, argv)
        except Unreachable as problem:
            # Not a word of the command: it is not its fault.
            why, text = f"ssh: {problem.why}", f"ssh: {problem}"
            return Result(exit=None, error=text, brief=problem.brief, why=why, do=problem.do, lost=True)
        except ValueError as problem:
            return not_started(argv, self.host, str(problem))

    def close(self) -> None:
        """See Transport."""
        self.connection.close()


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
        self._barred = ""
        self._host, self._argv = host, argv
        self._connection = connection
        self._token = os.urandom(16).hex()
        self._head: bytes | None = b""
        self._begun = False
        self.shell = self._shell_errors = b""
        self._group = ""
        self._patience = OPEN_TIMEOUT
        self._started = threading.Event()
        # With `exec` the login shell says nothing afterwards.
        command = f"exec {shlex.join(('sh', '-c', _START, self._token, *argv))}"
        self._channel = connection.execute(command.encode(errors="surrogateescape"))

    def read(self, err: bool) -> bytes | None:
        try:
            data: bytes = self._channel.recv_stderr(1 << 16) if err else self._channel.recv(1 << 18)
        except TimeoutError:
            return None
        except gone():
            return b""
        if err:
            return data if self._head is None else self._beheaded(data)
        return data if self._begun else self._behind_the_shell(data)

    def write(self, data: bytes) -> int:
        try:
            return int(self._channel.send(data))
        except TimeoutError:
            return 0
        except gone() as problem:
            # What paramiko says when the connection dies in the middle of a send is no OSError.
            raise BrokenPipeError("the connection is gone") from problem

    def end_input(self) -> None:
        with suppress(*gone()):
            self._channel.shutdown_write()

    def wait(self, seconds: float) -> bool:
        return bool(self._channel.status_event.wait(seconds))

    def signal(self, number: int) -> None:
        """See Session. All of them together wait hardly longer than OPEN_TIMEOUT, whatever the host does."""
        if self._lost:
            return
        begun = monotonic()
        ending = threading.Thread(target=self._end, args=(number,), daemon=True)
        ending.start()
        ending.join(max(self._patience, _BRIEFLY))
        self._patience -= monotonic() - begun
        if ending.is_alive():
            self._give_up(f"{self._host} does not answer")

    def _end(self, number: int) -> None:
        try:
            self._started.wait(OPEN_TIMEOUT)
            if not self._group:
                raise Unreachable("it never said which processes it has")
            channel = self._connection.execute(f"kill -s {Signals(number).name[3:]} -- -{self._group}".encode())
            channel.status_event.wait(OPEN_TIMEOUT)
            shut(channel)
        except Exception as problem:  # whatever it is: nobody was told to end
            self._give_up(str(problem))

    def _give_up(self, why: str) -> None:
        self._lost = f"it could not be ended and may still run there: {why}"
        shut(self._channel)

    def moved(self) -> int:
        return 0

    def close(self) -> None:
        """Close the channel, so that `exit` is known."""
        status = self._channel.exit_status
        killed_by = getattr(self._channel, "killed_by", "")
        if refused_to_run(self._channel):
            self._barred = self._connection.barred
        elif self._absent or self._refused:
            self.exit = None
        elif status >= 0:
            self.exit = status
        elif killed_by:
            self.exit = -Signals[f"SIG{killed_by}"] if f"SIG{killed_by}" in Signals.__members__ else -1
        else:
            self.exit = 255
            self._broken = self._connection.broken(fault(self._channel))
        shut(self._channel)

    def failure(self, carrier: Carrier) -> CommandFailure:
        """A command that loses its connection may live on: `error` says so."""
        if self._absent:
            return CommandFailure(
                cannot_start(self._argv, self._host, self._absent),
                brief=self._absent,
                do=f"install {self._argv[0]} there",
            )
        if self._barred:
            return CommandFailure(f"ssh: {self._barred}", lost=True)
        if self._refused and not carrier.timed_out:
            do = f"give {self._connection.account} a Bourne shell that runs commands"
            return CommandFailure(f"{self._shell_words()}: the command was not run", do=do)
        lost = self._lost or (f"{self._broken}; the command may still run there" if self._broken else "")
        left_open = "it ended, but what it started keeps its output open" if carrier.left_open else ""
        brief = "; ".join(filter(None, (carrier.error, self._broken)))
        error = "; ".join(filter(None, (carrier.error, lost, left_open)))
        return CommandFailure(error, brief=brief, lost=bool(self._broken))

    @property
    def _refused(self) -> bool:
        """Whether the login shell ended by itself and had not begun the command, as `nologin` does."""
        return not (self._begun or self._started.is_set()) and self._channel.exit_status >= 0

    def _shell_words(self) -> str:
        words = " ".join(printable(self.shell + b"\n" + self._shell_errors).split())
        quoted = words if len(words) <= _QUOTED else f"{words[:_QUOTED]}..."
        shell = f"the login shell of {self._connection.account}"
        return f"{shell} said: {quoted}" if words else f"{shell} ended without a word"

    def _behind_the_shell(self, data: bytes) -> bytes | None:
        """Take off the output what came before our line: it is no answer, whatever it looks like."""
        seen = self.shell + data
        before, token, rest = seen.partition(self._token.encode() + b"\n")
        self._begun = bool(token)
        self.shell = (before if token else seen)[-_HEAD:]
        return rest or (None if data else b"")

    def _beheaded(self, data: bytes) -> bytes | None:
        """Take our line off the errors; a login shell may have written before it."""
        seen = (self._head or b"") + data
        before, token, after = seen.partition(self._token.encode() + b" ")
        group, newline, rest = after.partition(b"\n")
        if token and newline:
            self._head, self._shell_errors = None, before
            known = group.decode("ascii", "replace")
            self._group = known if _GROUP.fullmatch(known) else ""
            self._absent = "it is not installed there" if known == "absent" else ""
            self._started.set()
            return before + rest or (None if data else b"")
        self._shell_errors = seen[:_HEAD]
        if not data:
            self._head = None
            return seen
        # Our line is short: what was seen before its length is none of it.
        self._head = seen if len(seen) < _HEAD else seen[-_LINE:]
        return seen[:-_LINE] if len(seen) >= _HEAD else None
