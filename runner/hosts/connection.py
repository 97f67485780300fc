"""One ssh connection to a host, made by fabric when it is first needed and again when it is lost."""

from __future__ import annotations

import base64
import hashlib
import logging
import shlex
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runner.hosts.process import Proxy

if TYPE_CHECKING:
    import paramiko  # type: ignore[import-untyped]

OPEN_TIMEOUT = 10.0
START_TIMEOUT = 30.0
ATTEMPTS = 5
KEEPALIVE = 15
DEAD_AFTER_MS = 60_000
_CLOSING = 1.0
# Of the keys that ssh takes by itself; the first is the one to make.
_KEY_KINDS = ("ed25519", "ecdsa", "rsa", "dsa")
# What is said of a port behind which no sshd speaks (yet, or any more): a tunnel, a router, a kernel that panicked.
_SPEECHLESS = (
    "No existing session",
    "Error reading SSH protocol banner",
    "Connection reset by peer",
    "Connection closed",
    "EOFError",
)


class Unreachable(Exception):
    """The host cannot be reached: `why`, what to `do` beside switching it on, and `brief` for who waits."""

    def __init__(self, why: str, do: str = "", brief: str = "") -> None:
        """`brief` is "" where it is not another text."""
        super().__init__(f"{why}: {do}" if do else why)
        self.why, self.do = why, do
        self.brief = brief or str(self)


class Connection:
    """A connection to `host` as the ssh configuration at `config_path` describes it, for all threads."""

    def __init__(self, host: str, config_path: str, known_hosts: tuple[str, ...]) -> None:
        """Connect to nothing yet."""
        self._host = host
        self._config_path = config_path
        self._known_hosts = known_hosts
        self._lock = threading.Lock()
        self._lines: list[_FabricConnection] = []

    @property
    def broken(self) -> str:
        """What to say of a command whose channel ended without an exit code."""
        return f"the connection to {self._host} broke"

    @property
    def account(self) -> str:
        """Whose login shell runs the commands, and where, for people; the host alone before there is a connection."""
        line = next(iter(self._lines), None)
        return f"{line.user}@{self._host}" if line else self._host

    def execute(self, command: bytes) -> paramiko.Channel:
        """Give the paramiko channel on which `command` runs. Unreachable if it certainly does not run.

        Its reads and writes wait half a second; `killed_by` is the signal that ended the command, if any.
        """
        transport, channel = self._channel()
        channel.settimeout(0.5)
        late = threading.Timer(START_TIMEOUT, channel.close)
        late.start()
        try:
            channel.exec_command(command)
        except Exception as problem:
            # Where the line broke or hangs nobody knows whether it started: the dead channel says 255.
            if transport.is_active() and not late.finished.is_set():
                raise Unreachable(f"{self._host} refused to run the command: {problem}") from problem
        finally:
            late.cancel()
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
                return transport, transport.open_session(timeout=OPEN_TIMEOUT)
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

    def _connect(self) -> _FabricConnection:
        known = [path for path in map(_expanded, self._known_hosts) if path.is_file()]
        logging.getLogger("paramiko").handlers = [logging.NullHandler()]
        logging.getLogger("paramiko").propagate = False
        line = None
        try:
            line = _FabricConnection(self._host, self._config_path)
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

    def _knows_nobody(self, line: _FabricConnection) -> Unreachable:
        """There is no file of host keys yet; on the first day there is no key of ours either."""
        do = f"check its key with its keeper, then put it into {self._known_hosts[0]}"
        why, key = f"no host key is known: none of {', '.join(self._known_hosts)} exists", line.missing_key
        also, make = (", and there is no ssh key here", f"{line.how_to_make(key)}; ") if key else ("", "")
        return Unreachable(f"{why}{also}", f"{make}{do}")

    def _words(self, problem: Exception, line: _FabricConnection | None, last_line: str) -> Unreachable:
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


class _FabricConnection:
    """One fabric connection, and the ssh to a jump host that carries it, if any."""

    def __init__(self, host: str, config_path: str) -> None:
        import fabric  # type: ignore[import-untyped]

        # Lazy: no file of fabric's own may change what the generated configuration says.
        settings = fabric.Config(lazy=True, runtime_ssh_path=config_path)
        settings.load_ssh_config()
        keys = {"allow_agent": False, "banner_timeout": 15, "auth_timeout": 30}
        self._fabric = fabric.Connection(host, config=settings, gateway=False, connect_kwargs=keys)
        self._proxy: Proxy | None = None
        self._was_asked = False
        self.user: str = self._fabric.user
        self.place = f"{self.user}@{self._fabric.host} port {self._fabric.port}"

    @property
    def transport(self) -> paramiko.Transport:
        """The transport that channels are opened on."""
        return self._fabric.transport

    @property
    def authorized(self) -> str:
        """Where the host keeps the keys of those that it lets in as our user."""
        home = "/root" if self.user == "root" else f"/home/{self.user}"
        return f"{home}/.ssh/authorized_keys"

    @property
    def lacked(self) -> str:
        """The `missing_key` where the host asked who we are; "" otherwise."""
        return self.missing_key if self._was_asked else ""

    def how_to_make(self, key: str) -> str:
        """What gives the host a key of ours that is to be in this file."""
        make = shlex.join(("ssh-keygen", "-t", "ed25519", "-N", "", "-f", key))
        return f"make one with `{make}`, and add the line in {key}.pub to {self.authorized} there"

    @property
    def missing_key(self) -> str:
        """The key file to make, where there is no key of ours; "" otherwise."""
        named = [str(path) for path in self._fabric.connect_kwargs.get("key_filename", ())]
        usual = [f"~/.ssh/id_{kind}" for kind in _KEY_KINDS]
        return "" if any(_expanded(path).exists() for path in named or usual) else str(_expanded((named or usual)[0]))

    def open(self, known_hosts: list[Path]) -> None:
        """Connect; raises whatever stands in the way."""
        kwargs = self._fabric.connect_kwargs
        kwargs["look_for_keys"] = "key_filename" not in kwargs
        for path in known_hosts:
            self._fabric.client.load_system_host_keys(str(path))
        self._fabric.client.set_missing_host_key_policy(Refuse())
        # paramiko's own ProxyCommand never notices that the command has died.
        if through := self._fabric.ssh_config.get("proxycommand"):
            self._proxy = Proxy(tuple(shlex.split(through)))
            kwargs["sock"] = self._proxy.socket
        try:
            self._fabric.open()
        except Exception:
            transport = self._fabric.client.get_transport()
            self._was_asked = bool(transport and transport.initial_kex_done)
            raise
        _watch_the_line(self.transport)

    def close(self) -> str:
        """Disconnect; give what the jump host's ssh said last."""
        with suppress(Exception):
            self._fabric.client.close()
        return self._proxy.close() if self._proxy else ""


class Refuse:
    """What paramiko asks about a host without a known key: always no, with the fingerprint to check."""

    def missing_host_key(self, _client: object, _name: str, key: paramiko.PKey) -> None:
        """Refuse."""
        raise Unreachable(
            "is not in known_hosts", f"check with its keeper that {fingerprint(key)} is its fingerprint, then add it"
        )


def fingerprint(key: paramiko.PKey) -> str:
    """Give the fingerprint as ssh-keygen -l prints it."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def _expanded(path: str) -> Path:
    return Path(path).expanduser()


def _watch_the_line(transport: paramiko.Transport) -> None:
    """Have a dead line noticed within some 75 seconds, and signals that end commands noted."""
    from paramiko import common

    transport.set_keepalive(KEEPALIVE)
    if transport.sock.family != socket.AF_UNIX:
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    table = transport._channel_handler_table
    known = table[common.MSG_CHANNEL_REQUEST]

    def note_signal(channel: paramiko.Channel, message: paramiko.Message) -> None:
        # paramiko knows exit-status only; RFC 4254 6.10 has exit-signal for what a signal ended.
        at = message.packet.tell()
        if message.get_text() == "exit-signal":
            message.get_boolean()
            channel.killed_by = message.get_text()
            channel.status_event.set()
        message.packet.seek(at)
        known(channel, message)

    transport._channel_handler_table = {**table, common.MSG_CHANNEL_REQUEST: note_signal}
