"""One ssh connection to a host, made by fabric when it is first needed and again when it is lost."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from runner.hosts.line import Line, Unreachable, expanded, fingerprint, gone, heard, run, shut

if TYPE_CHECKING:
    import paramiko  # type: ignore[import-untyped]

OPEN_TIMEOUT = 10.0
ATTEMPTS = 5
# How long ago a line has said something that surely works.
FRESH = 5.0
_CLOSING = 1.0
# What is said of a port behind which no sshd speaks (yet, or any more): a tunnel, a router, a kernel that panicked.
_SPEECHLESS = (
    "No existing session",
    "Error reading SSH protocol banner",
    "Connection reset by peer",
    "Connection closed",
    "EOFError",
)


class Connection:
    """A connection to `host` as the ssh configuration at `config_path` describes it, for all threads."""

    def __init__(self, host: str, config_path: str, known_hosts: tuple[str, ...]) -> None:
        """Connect to nothing yet."""
        self._host = host
        self._config_path = config_path
        self._known_hosts = known_hosts
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self._next = _NextSession()

    def broken(self, fault: str = "") -> str:
        """What to say of a command whose channel ended without an exit code; `fault` is what the host did."""
        return f"the connection to {self._host} {f'was ended: {fault}' if fault else 'broke'}"

    @property
    def barred(self) -> str:
        """What to say of a command that the host has not begun."""
        return f"{self._host} refused to run the command: look there for a lack of memory or processes"

    @property
    def account(self) -> str:
        """Whose login shell runs the commands, and where, for people; the host alone before there is a connection."""
        line = next(iter(self._lines), None)
        return f"{line.user}@{self._host}" if line else self._host

    def execute(self, command: bytes) -> paramiko.Channel:
        """Give the paramiko channel on which `command` runs, or is to. Unreachable if it certainly does not run.

        Its reads and writes wait half a second; `killed_by` is the signal that ended the command, if any.
        `refused_to_run` knows one that never began.
        """
        transport, channel = self._channel()
        channel.settimeout(0.5)
        self._next.open(transport)
        try:
            # paramiko's exec_command waits for the answer: what the command is given may travel with it.
            run(channel, command)
        except gone() as problem:
            shut(channel)
            raise self._lost(f"{self._host} could not be asked to run it", str(problem)) from problem
        return channel

    def close(self) -> None:
        """End the connection; `execute` makes a new one. One that is being made is left to itself."""
        if not self._lock.acquire(timeout=_CLOSING):
            return
        try:
            for line in self._lines:
                line.close()
            self._lines.clear()
        finally:
            self._lock.release()

    def _channel(self) -> tuple[paramiko.Transport, paramiko.Channel]:
        import paramiko

        failed: paramiko.Transport | None = None
        problem: Exception | None = None
        for _ in range(ATTEMPTS):
            transport = self._transport(failed)
            try:
                return transport, self._next.take(transport) or transport.open_session(timeout=OPEN_TIMEOUT)
            except paramiko.ChannelException as full:
                # MaxSessions: the next connection has room again.
                failed, problem = transport, full
            except (paramiko.SSHException, OSError, EOFError) as broken:
                if failed is not None:
                    raise self._lost(f"{self._host} opens no session", str(broken)) from broken
                failed, problem = transport, broken
        raise Unreachable(f"{self._host} allows no further session ({problem})", "see MaxSessions in its sshd_config")

    def _transport(self, failed: paramiko.Transport | None) -> paramiko.Transport:
        """Give the newest connection's transport, after making a new one where it is dead or `failed`.

        One that failed here is not closed: other threads may have commands on it.
        """
        with self._lock:
            for line in [line for line in self._lines if not line.transport.is_active()]:
                self._lines.remove(line)
                line.close()
            if not self._lines or self._lines[-1].transport is failed:
                self._lines.append(self._connect())
            return self._lines[-1].transport

    def _connect(self) -> Line:
        known = [path for path in map(expanded, self._known_hosts) if path.is_file()]
        logging.getLogger("paramiko").handlers = [logging.NullHandler()]
        logging.getLogger("paramiko").propagate = False
        line = None
        try:
            line = Line(self._host, self._config_path)
            if not known:
                raise self._knows_nobody(line)
            line.open(known)
        except Exception as problem:
            last_line = line.close() if line else ""
            raise self._words(problem, line, last_line) from problem
        return line

    def _lost(self, what: str, problem: str, do: str = "") -> Unreachable:
        plain = f"something takes the connection to {self._host}, but no ssh server speaks: it is on its way, or hangs"
        brief = plain if any(words in problem for words in _SPEECHLESS) else ""
        return Unreachable(f"{what}: {problem}", do, brief=brief)

    def _knows_nobody(self, line: Line) -> Unreachable:
        """There is no file of host keys yet; on the first day there is no key of ours either."""
        do = f"check its key with its keeper, then put it into {self._known_hosts[0]}"
        why, key = f"no host key is known: none of {', '.join(self._known_hosts)} exists", line.missing_key
        also, make = (", and there is no ssh key here", f"{line.how_to_make(key)}; ") if key else ("", "")
        return Unreachable(f"{why}{also}", f"{make}{do}")

    def _words(self, problem: Exception, line: Line | None, last_line: str) -> Unreachable:
        """Say what is wrong and what to do, for everything that connecting can raise."""
        import paramiko

        place = f"{self._host} ({line.place})" if line else self._host
        match problem:
            case Unreachable():
                return Unreachable(f"{place} {problem.why}", problem.do)
            case paramiko.BadHostKeyException():
                return Unreachable(
                    f"the host key of {place} is not the one in known_hosts but {fingerprint(problem.key)}",
                    "ask its keeper why, and replace the line only if this fingerprint is right",
                )
            case paramiko.SSHException() | FileNotFoundError() if line and (key := line.lacked):
                return Unreachable(f"{place} cannot let us in, since there is no ssh key here", line.how_to_make(key))
            case paramiko.AuthenticationException() | paramiko.PasswordRequiredException():
                return Unreachable(
                    f"{place} refused to let us in ({problem})",
                    "put our public key into authorized_keys there, and keep the private one without a passphrase",
                )
            case socket.gaierror():
                return Unreachable(f"the address of {place} is not known", "check `address` and the name service")
            case TimeoutError():
                return Unreachable(f"{place} does not answer: is it on, is the tunnel up, does a firewall drop us?")
            case paramiko.ssh_exception.NoValidConnectionsError():
                return Unreachable(f"{place} takes no connection: is sshd running there, is the port right?")
            case _:
                why = last_line or str(problem) or type(problem).__name__
                return self._lost(f"no connection to {place}", why, f"try ssh -F {self._config_path} {self._host}")


class _NextSession:
    """A session that is opened when a command begins, so that the next one waits for one round trip and not for two."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening = False
        self._channel: paramiko.Channel | None = None

    def open(self, transport: paramiko.Transport) -> None:
        """Open one, unless there is one or it is on its way; nobody waits for it."""
        with self._lock:
            if self._opening or self._channel is not None:
                return
            self._opening = True
        threading.Thread(target=self._open, args=(transport,), daemon=True).start()

    def take(self, transport: paramiko.Transport) -> paramiko.Channel | None:
        """The one of this transport, if the line has said something so lately that it surely works."""
        with self._lock:
            channel, self._channel = self._channel, None
        fresh = monotonic() - heard(transport) < FRESH
        if channel is None or (fresh and not channel.closed and channel.get_transport() is transport):
            return channel
        shut(channel)
        return None

    def _open(self, transport: paramiko.Transport) -> None:
        channel = None
        # It may be one more than the host allows, and a line that is lost will be noticed by whoever needs it.
        with suppress(Exception):
            channel = transport.open_session(timeout=OPEN_TIMEOUT)
        with self._lock:
            self._opening, self._channel = False, channel
